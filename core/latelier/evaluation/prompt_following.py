"""Does a picture show what its prompt asks for?"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from latelier.data.emoji_scenes import BACKGROUND_KINDS, PALETTE
from latelier.data.emoji_scenes.captions import background_phrase, background_tag
from latelier.data.emoji_scenes.scene import Scene
from latelier.evaluation.classifier.model import GLYPHS, Verdict
from latelier.evaluation.proportion import Proportion

_COLORS = tuple(color.name for color in PALETTE)


@dataclass(frozen=True)
class Prompt:
    """A prompt and what a picture of it has to show.

    colors: the background's colours as the prompt names them, the dominant one first; empty where
        it names none.
    kind: the kind of background, None where the prompt names no colour.
    """

    text: str
    glyph: str
    colors: tuple[str, ...]
    kind: str | None


def prompt_of(scene: Scene) -> Prompt:
    """Return a scene's caption as a prompt, with what it says of the scene."""
    background = scene.background
    worded = (background_phrase(background), background_tag(background))
    named = bool(background.colors) and any(words in scene.caption for words in worded)
    return Prompt(
        text=scene.caption,
        glyph=scene.objects[0].glyph.name,
        colors=background.colors if named else (),
        kind=background.kind if named else None,
    )


@dataclass(frozen=True)
class Judgement:
    """What the judge says of one picture. ranked: the names of all glyphs, the likeliest first."""

    prompt: Prompt
    ranked: tuple[str, ...]
    color: str
    kind: str

    @property
    def rank(self) -> int:
        """Place of the prompted glyph among the judge's choices, counted from 1."""
        return self.ranked.index(self.prompt.glyph) + 1

    @property
    def right(self) -> bool:
        """Whether both the glyph and the colour, if one is named, are as prompted."""
        return self.rank == 1 and (not self.prompt.colors or self.color == self.prompt.colors[0])


def judgements(prompts: Sequence[Prompt], verdict: Verdict) -> list[Judgement]:
    """Put the verdict on picture k beside prompt k.

    Raises:
        ValueError: there are not as many pictures as prompts.
    """
    orders = verdict.glyph.argsort(dim=1, descending=True).tolist()
    colors, kinds = verdict.color.argmax(1).tolist(), verdict.kind.argmax(1).tolist()
    return [
        Judgement(
            prompt,
            tuple(GLYPHS[glyph].name for glyph in order),
            _COLORS[color],
            BACKGROUND_KINDS[kind],
        )
        for prompt, order, color, kind in zip(prompts, orders, colors, kinds, strict=True)
    ]


def following(judged: Sequence[Judgement]) -> dict[str, Proportion]:
    """Return how often the prompt was followed.

    glyph: it is the judge's first choice; glyph_top5: it is among its first five. Over the prompts
    that name a colour, and left out if none does: color, the background's dominant colour is the
    first that the prompt names; color_named, it is any that the prompt names (the first may hide:
    in the middle of a radial gradient is the object); kind, the background's kind is as prompted.
    """
    shares = {
        "glyph": Proportion.of(each.rank == 1 for each in judged),
        "glyph_top5": Proportion.of(each.rank <= 5 for each in judged),
    }
    if named := [each for each in judged if each.prompt.colors]:
        shares["color"] = Proportion.of(each.color == each.prompt.colors[0] for each in named)
        shares["color_named"] = Proportion.of(each.color in each.prompt.colors for each in named)
        shares["kind"] = Proportion.of(each.kind == each.prompt.kind for each in named)
    return shares


def worst(judged: Sequence[Judgement], count: int = 20) -> list[dict[str, object]]:
    """Return the glyphs missed most, those farthest down the judge's list first among equals."""
    asked = Counter(each.prompt.glyph for each in judged)
    missed: dict[str, list[Judgement]] = {}
    for each in judged:
        if each.rank > 1:
            missed.setdefault(each.prompt.glyph, []).append(each)
    by_misses = sorted(
        missed.items(), key=lambda item: (len(item[1]), max(each.rank for each in item[1]))
    )
    return [
        {
            "glyph": glyph,
            "missed": len(misses),
            "asked": asked[glyph],
            "seen_instead": [each.ranked[0] for each in misses],
            "ranks": [each.rank for each in misses],
        }
        for glyph, misses in reversed(by_misses[-count:])
    ]


def as_images(pictures: Sequence[Image.Image]) -> Tensor:
    """Return RGB pictures of one size as a tensor (N, 3, H, W) in [-1, 1]."""
    arrays = [np.array(picture.convert("RGB")) for picture in pictures]
    levels = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)  # (N, H, W, 3) -> (N, 3, H, W)
    return levels.float() / 127.5 - 1
