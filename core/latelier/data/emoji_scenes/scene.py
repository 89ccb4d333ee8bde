"""Composes scenes: an image with its caption, boxes and maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from latelier.data.emoji_scenes.artwork import Placement, draw_glyph, hidden_share
from latelier.data.emoji_scenes.backgrounds import (
    BackgroundInfo,
    BackgroundKind,
    draw_background,
    sample_background,
)
from latelier.data.emoji_scenes.captions import write_caption
from latelier.data.emoji_scenes.glyphs import GROUPS, Glyph, VocabularyName, vocabulary
from latelier.data.emoji_scenes.layers import Layer, paint_layers
from latelier.data.emoji_scenes.layout import Box, place_objects, relation
from latelier.data.emoji_scenes.places import WATER

SEMANTIC_CLASSES = ("none", "sky", "ground", "water", *GROUPS)
"""Names of the ids of a semantic map."""

# An object counts as present where it covers at least half a pixel.
_COVERED = 128
_LEAST_VISIBLE = 0.4
_MOST_HIDDEN = 0.4
_ATTEMPTS = 24

Classes: TypeAlias = NDArray[np.uint8]


def _check_ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"expected an ascending range such as {bounds[::-1]}, not {bounds}")
    return bounds


def _check_not_empty(kinds: tuple[BackgroundKind, ...]) -> tuple[BackgroundKind, ...]:
    if not kinds:
        raise ValueError('expected at least one kind, such as ("plain",)')
    return kinds


ScenePart = Literal["all", "train", "held_out"]
"""The objects of a vocabulary that scenes are made of."""

HELD_OUT_EVERY = 16
"""Every so many objects of a vocabulary, one is held out, the first among them."""

Count = Annotated[int, Field(ge=1, le=4)]
Share = Annotated[float, Field(ge=0.2, le=1.0)]
Degrees = Annotated[float, Field(ge=-180, le=180)]


class SceneConfig(BaseModel):
    """Appearance of scenes. The defaults suit a first model: one object, 64 pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(default=64, ge=16, le=1024, description="Side of the square image in pixels.")
    vocabulary: VocabularyName = Field(
        default="basic", description='"basic" (512 distinct objects) or "all" (the whole atlas).'
    )
    glyphs: tuple[str, ...] = Field(
        default=(),
        description="Names of the only objects to draw, which keep their classes; none: all.",
    )
    part: ScenePart = Field(
        default="all",
        description='"train" leaves out every 16th object of the vocabulary, "held_out" draws '
        "those alone; classes stay the same.",
    )
    objects: Annotated[tuple[Count, Count], AfterValidator(_check_ascending)] = Field(
        default=(1, 1), description="Least and greatest number of objects, each 1..4."
    )
    backgrounds: Annotated[tuple[BackgroundKind, ...], AfterValidator(_check_not_empty)] = Field(
        default=("plain", "plain", "gradient", "stripes", "dots", "checks", "place", "place"),
        description="Kinds of background; one that is listed twice is drawn twice as often.",
    )
    scale: Annotated[tuple[Share, Share], AfterValidator(_check_ascending)] = Field(
        default=(0.6, 0.85),
        description="Longest side of a lone object as a fraction of the image; several share it.",
    )
    rotation: Annotated[tuple[Degrees, Degrees], AfterValidator(_check_ascending)] = Field(
        default=(-12.0, 12.0), description="Range of turns in degrees, counter-clockwise."
    )
    mirror: bool = Field(default=False, description="Whether half of the objects are mirrored.")
    shadow: bool = Field(default=True, description="Whether objects cast a soft shadow.")
    captioned_background: float = Field(
        default=0.85,
        ge=0,
        le=1,
        description="Share of the captions that say what the background is.",
    )

    @property
    def class_ids(self) -> Sequence[int]:
        """The classes of the objects to draw: positions in the vocabulary."""
        names = [glyph.name for glyph in vocabulary(self.vocabulary)]
        if self.glyphs:
            return [names.index(name) for name in self.glyphs]
        if self.part == "held_out":
            return range(0, len(names), HELD_OUT_EVERY)
        if self.part == "train":
            return [number for number in range(len(names)) if number % HELD_OUT_EVERY]
        return range(len(names))

    @model_validator(mode="after")
    def _check_glyphs(self) -> Self:
        names = [glyph.name for glyph in vocabulary(self.vocabulary)] if self.glyphs else []
        for name in self.glyphs:
            if name not in names:
                close = ", ".join(get_close_matches(name, names, cutoff=0.4))
                raise ValueError(f"glyphs: '{name}' is not in the vocabulary. Close: {close}")
        if self.glyphs and self.part != "all":
            raise ValueError(f'glyphs: names the objects already; leave out part "{self.part}"')
        if len(set(self.glyphs)) < len(self.glyphs):
            raise ValueError("glyphs: expected each name once")
        if 0 < len(self.glyphs) < self.objects[1]:
            raise ValueError(
                f"glyphs: a scene has up to {self.objects[1]} different objects, "
                f"but there are {len(self.glyphs)} names"
            )
        return self


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One object of a scene.

    Attributes:
        glyph: the pictogram.
        class_id: position in the vocabulary.
        box: of the whole object with its hidden parts, as fractions of the image.
        visible: share of its pixels, 0..1, that no other object covers.
    """

    glyph: Glyph
    class_id: int
    box: Box
    visible: float


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """An image and its exact annotations.

    Attributes:
        image: (H, W, 3) sRGB in 0..255.
        caption: a sentence or a list of tags.
        class_id: class of the main object, `objects[0]`.
        objects: the front-most object first.
        semantic_map: (H, W) positions in `SEMANTIC_CLASSES`.
        instance_map: (H, W), 0 for the background and i + 1 where `objects[i]` is visible.
        background: what is behind the objects.
    """

    image: NDArray[np.uint8]
    caption: str
    class_id: int
    objects: tuple[SceneObject, ...]
    semantic_map: Classes
    instance_map: Classes
    background: BackgroundInfo

    def mask(self, index: int = 0) -> NDArray[np.bool_]:
        """Return the mask (H, W) of the visible pixels of `objects[index]`."""
        mask: NDArray[np.bool_] = self.instance_map == index + 1
        return mask


def compose(config: SceneConfig, rng: np.random.Generator) -> Scene:
    """Return a scene, which `config` and the state of `rng` determine."""
    glyphs = vocabulary(config.vocabulary)
    least, greatest = config.objects
    count = int(rng.integers(least, greatest + 1))
    drawn_from = config.class_ids
    drawn_places = rng.choice(len(drawn_from), size=count, replace=False)
    class_ids = [drawn_from[place] for place in drawn_places]
    chosen = [glyphs[class_id] for class_id in class_ids]
    background = _choose_background(config, chosen, rng)
    backdrop = draw_background(background, config.size, rng)
    drawn, instances = _arrange(config, chosen, rng)
    semantics = backdrop.semantics.copy()
    objects: list[SceneObject] = []
    for i, (glyph, class_id, layer) in enumerate(zip(chosen, class_ids, drawn, strict=True)):
        shown = instances == i + 1
        semantics[shown] = WATER + 1 + GROUPS.index(glyph.group)
        visible = float(shown.sum() / layer.covers.sum())
        objects.append(SceneObject(glyph, class_id, _box(layer.covers), visible))
    return Scene(
        image=paint_layers(backdrop.image, drawn, config.shadow),
        caption=_caption(config, objects, background, rng),
        class_id=class_ids[0],
        objects=tuple(objects),
        semantic_map=semantics,
        instance_map=instances,
        background=background,
    )


def _choose_background(
    config: SceneConfig, glyphs: Sequence[Glyph], rng: np.random.Generator
) -> BackgroundInfo:
    """Return a random background on which every object stands out, or the best of a few."""
    kind = config.backgrounds[rng.integers(len(config.backgrounds))]
    best, least = sample_background(kind, rng), 2.0
    for _ in range(_ATTEMPTS):
        candidate = sample_background(kind, rng)
        hidden = max(
            hidden_share(glyph.index, tone) for glyph in glyphs for tone in candidate.tones
        )
        if hidden < least:
            best, least = candidate, hidden
        if hidden <= _MOST_HIDDEN:
            break
    return best


def _arrange(
    config: SceneConfig, glyphs: Sequence[Glyph], rng: np.random.Generator
) -> tuple[list[Layer], Classes]:
    """Return the layers of objects, none of them mostly hidden, and the instance map."""
    indices = [glyph.index for glyph in glyphs]
    best: tuple[list[Layer], Classes] | None = None
    most = 0.0
    for _ in range(_ATTEMPTS):
        placements = place_objects(indices, config.scale, config.rotation, config.mirror, rng)
        drawn = [
            _draw(i, placement, config.size)
            for i, placement in zip(indices, placements, strict=True)
        ]
        instances = np.zeros((config.size, config.size), dtype=np.uint8)
        for i in reversed(range(len(drawn))):
            instances[drawn[i].covers] = i + 1
        shown = min(
            float((instances == i + 1).sum() / max(layer.covers.sum(), 1))
            for i, layer in enumerate(drawn)
        )
        if shown > most:
            best, most = (drawn, instances), shown
        if shown >= _LEAST_VISIBLE:
            break
    if best is None:
        raise ValueError(f"size {config.size} is too small for {len(glyphs)} objects")
    return best


def _draw(index: int, placement: Placement, size: int) -> Layer:
    pixels = draw_glyph(index, placement, size)
    return Layer(pixels, pixels[..., 3] >= _COVERED)


def _box(covers: NDArray[np.bool_]) -> Box:
    """Return the bounding box of the covered pixels, x0, y0, x1, y1 as fractions of the image."""
    rows, columns = np.flatnonzero(covers.any(axis=1)), np.flatnonzero(covers.any(axis=0))
    size = len(covers)
    return (
        float(columns[0] / size),
        float(rows[0] / size),
        float((columns[-1] + 1) / size),
        float((rows[-1] + 1) / size),
    )


def _caption(
    config: SceneConfig,
    objects: Sequence[SceneObject],
    background: BackgroundInfo,
    rng: np.random.Generator,
) -> str:
    named = background if rng.random() < config.captioned_background else None
    names = [item.glyph.name for item in objects]
    words = relation(objects[0].box, objects[1].box) if len(objects) == 2 else None
    return write_caption(names, named, rng, words)
