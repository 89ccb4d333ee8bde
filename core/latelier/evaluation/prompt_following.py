"""How often pictures show what their prompts ask for, by the scene classifier."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from latelier.contracts.images.pixels import pil_to_tensor
from latelier.data.emoji_scenes import BACKGROUND_KINDS, PALETTE
from latelier.data.emoji_scenes.captions import background_phrase, background_tag
from latelier.data.emoji_scenes.scene import Scene
from latelier.evaluation.proportion import Proportion
from latelier.metrics.scene_classifier import GLYPHS, Prediction

_COLORS = tuple(color.name for color in PALETTE)


@dataclass(frozen=True)
class Prompt:
    """A prompt, and what a picture that follows it shows.

    Attributes:
        text: The prompt.
        glyph: Name of the glyph.
        colors: Background colours that the prompt names, the dominant one first; may be empty.
        kind: Kind of the background; None if the prompt names no colour.
    """

    text: str
    glyph: str
    colors: tuple[str, ...]
    kind: str | None


def make_prompt(scene: Scene) -> Prompt:
    """Make a prompt of a scene's caption and of what the caption says about the scene."""
    background = scene.background
    phrases = (background_phrase(background), background_tag(background))
    names_colors = bool(background.colors) and any(words in scene.caption for words in phrases)
    return Prompt(
        text=scene.caption,
        glyph=scene.objects[0].glyph.name,
        colors=background.colors if names_colors else (),
        kind=background.kind if names_colors else None,
    )


@dataclass(frozen=True)
class PromptResult:
    """A prompt, and what the classifier sees in its picture.

    Attributes:
        prompt: What was asked for.
        ranked: Names of all glyphs, the most likely first.
        color: The most likely dominant background colour.
        kind: The most likely kind of background.
    """

    prompt: Prompt
    ranked: tuple[str, ...]
    color: str
    kind: str

    @property
    def rank(self) -> int:
        """Rank of the prompt's glyph among the predictions, from 1."""
        return self.ranked.index(self.prompt.glyph) + 1

    @property
    def is_correct(self) -> bool:
        """Whether the glyph, and the dominant colour if the prompt names one, are as prompted."""
        return self.rank == 1 and (not self.prompt.colors or self.color == self.prompt.colors[0])


def pair_with_predictions(prompts: Sequence[Prompt], prediction: Prediction) -> list[PromptResult]:
    """Pair prompt k with row k of a prediction.

    Raises:
        ValueError: the numbers of prompts and of rows differ.
    """
    orders = prediction.glyph.argsort(dim=1, descending=True).tolist()
    colors, kinds = prediction.color.argmax(1).tolist(), prediction.kind.argmax(1).tolist()
    return [
        PromptResult(
            prompt,
            tuple(GLYPHS[glyph].name for glyph in order),
            _COLORS[color],
            BACKGROUND_KINDS[kind],
        )
        for prompt, order, color, kind in zip(prompts, orders, colors, kinds, strict=True)
    ]


def measure_following(results: Sequence[PromptResult]) -> dict[str, Proportion]:
    """Return the shares of pictures that follow their prompts.

    "glyph": the prompt's glyph is the top prediction. "glyph_top5": it is among the first five.
    The other three are over prompts that name a colour, and absent if none does. "color": the
    dominant colour is the first that the prompt names. "color_named": it is any that the prompt
    names (the object may hide the middle of a radial gradient). "kind": the background's kind is
    as prompted.
    """
    shares = {
        "glyph": Proportion.from_outcomes(each.rank == 1 for each in results),
        "glyph_top5": Proportion.from_outcomes(each.rank <= 5 for each in results),
    }
    colored = [each for each in results if each.prompt.colors]
    if colored:
        outcomes = {
            "color": [each.color == each.prompt.colors[0] for each in colored],
            "color_named": [each.color in each.prompt.colors for each in colored],
            "kind": [each.kind == each.prompt.kind for each in colored],
        }
        shares |= {name: Proportion.from_outcomes(hits) for name, hits in outcomes.items()}
    return shares


def find_worst_glyphs(results: Sequence[PromptResult], count: int = 20) -> list[dict[str, object]]:
    """Return the glyphs missed most often; among equals, the one with the worst rank first."""
    prompted = Counter(each.prompt.glyph for each in results)
    missed: dict[str, list[PromptResult]] = {}
    for each in results:
        if each.rank > 1:
            missed.setdefault(each.prompt.glyph, []).append(each)
    by_misses = sorted(
        missed.items(), key=lambda item: (len(item[1]), max(each.rank for each in item[1]))
    )
    return [
        {
            "glyph": glyph,
            "missed": len(misses),
            "prompted": prompted[glyph],
            "predicted": [each.ranked[0] for each in misses],
            "ranks": [each.rank for each in misses],
        }
        for glyph, misses in reversed(by_misses[-count:])
    ]


def pictures_to_tensor(pictures: Sequence[Image.Image]) -> Tensor:
    """Stack pictures of one size as RGB, float32 (N, 3, H, W) in [-1, 1]."""
    return torch.stack([pil_to_tensor(picture.convert("RGB")) for picture in pictures])
