"""The prompt of a sample, made of its captions."""

from collections.abc import Sequence

import numpy as np

from latelier.training.configs.data import CaptionConfig


def choose_prompt(
    captions: Sequence[tuple[str, float]],
    class_name: str | None,
    config: CaptionConfig,
    generator: np.random.Generator,
) -> str | None:
    """Return one caption in one template; None where the templates need what is not there.

    Args:
        captions: texts and their weights.
        class_name: name of the class, if it has one.
        config: templates and treatment of tags.
        generator: of the random numbers.
    """
    usable = _usable_templates(captions, class_name, config)
    if not usable:
        return None
    template = _draw([(each, 1.0) for each in usable], generator)
    caption = _draw(captions, generator) if captions else ""
    if config.shuffle_tags or config.drop_tags:
        caption = _change_tags(caption, config, generator)
    return _fill(template, caption, class_name)


def list_prompts(
    captions: Sequence[tuple[str, float]], class_name: str | None, config: CaptionConfig
) -> list[str]:
    """Return every text that `choose_prompt` can return while tags stay as they are."""
    texts = [text for text, weight in captions if weight > 0] or [""]
    return [
        _fill(template, text, class_name)
        for template in _usable_templates(captions, class_name, config)
        for text in texts
    ]


def _usable_templates(
    captions: Sequence[tuple[str, float]], class_name: str | None, config: CaptionConfig
) -> list[str]:
    """Return the templates that need nothing which is not there."""
    return [
        template
        for template in config.templates
        if (captions or "{caption}" not in template)
        and (class_name is not None or "{class}" not in template)
    ]


def _fill(template: str, caption: str, class_name: str | None) -> str:
    # the class first: a caption may contain braces of its own
    return template.replace("{class}", class_name or "").replace("{caption}", caption)


def _draw(choices: Sequence[tuple[str, float]], generator: np.random.Generator) -> str:
    """Return a text with a probability in proportion to its weight."""
    ends = np.cumsum([weight for _, weight in choices])
    place = np.searchsorted(ends, generator.random() * ends[-1], side="right")
    return choices[int(place)][0]


def _change_tags(caption: str, config: CaptionConfig, generator: np.random.Generator) -> str:
    tags = [tag.strip() for tag in caption.split(config.separator)]
    fixed, others = tags[: config.keep_tags], tags[config.keep_tags :]
    if config.shuffle_tags:
        others = [others[k] for k in generator.permutation(len(others))]
    kept = generator.random(len(others)) >= config.drop_tags
    joint = config.separator if config.separator.isspace() else f"{config.separator} "
    return joint.join([*fixed, *(tag for tag, keep in zip(others, kept, strict=True) if keep)])
