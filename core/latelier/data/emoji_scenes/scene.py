"""Compose a scene: an image together with everything that is true of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from latelier.data.emoji_scenes.artwork import Placement, draw_glyph, hidden_share
from latelier.data.emoji_scenes.backgrounds import (
    BackgroundInfo,
    BackgroundKind,
    draw_background,
    sample_background,
)
from latelier.data.emoji_scenes.captions import write_caption
from latelier.data.emoji_scenes.glyphs import GROUPS, Glyph, VocabularyName, vocabulary
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


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the range must rise; {bounds[::-1]} would be right")
    return bounds


def _not_empty(kinds: tuple[BackgroundKind, ...]) -> tuple[BackgroundKind, ...]:
    if not kinds:
        raise ValueError('at least one kind is needed; ("plain",) would be right')
    return kinds


Count = Annotated[int, Field(ge=1, le=4)]
Share = Annotated[float, Field(ge=0.2, le=1.0)]
Degrees = Annotated[float, Field(ge=-180, le=180)]


class SceneConfig(BaseModel):
    """What scenes look like; the defaults are for a first model: one object, 64 pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(default=64, ge=16, le=1024, description="Side of the square image in pixels.")
    vocabulary: VocabularyName = Field(
        default="basic", description='"basic" (512 distinct objects) or "all" (the whole atlas).'
    )
    objects: Annotated[tuple[Count, Count], AfterValidator(_ordered)] = Field(
        default=(1, 1), description="Least and greatest number of objects, each 1..4."
    )
    backgrounds: Annotated[tuple[BackgroundKind, ...], AfterValidator(_not_empty)] = Field(
        default=("plain", "plain", "gradient", "stripes", "dots", "checks", "place", "place"),
        description="Kinds of background; one that is listed twice is drawn twice as often.",
    )
    scale: Annotated[tuple[Share, Share], AfterValidator(_ordered)] = Field(
        default=(0.6, 0.85),
        description="Longest side of a lone object as a fraction of the frame; several share it.",
    )
    rotation: Annotated[tuple[Degrees, Degrees], AfterValidator(_ordered)] = Field(
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


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One object of a scene.

    ``box`` is the extent of the whole object, hidden parts included, as fractions of the frame;
    ``visible`` is the share of its pixels, 0..1, that no other object covers.
    """

    glyph: Glyph
    class_id: int
    box: Box
    visible: float


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """An image and the truth about it.

    ``image`` is (H, W, 3) sRGB in 0..255. ``semantic_map`` (H, W) holds positions in
    ``SEMANTIC_CLASSES``; ``instance_map`` (H, W) holds 0 for the background and ``i + 1`` where
    ``objects[i]`` is seen. ``class_id`` is that of the main object, ``objects[0]``, which stands
    in front of the others.
    """

    image: NDArray[np.uint8]
    caption: str
    class_id: int
    objects: tuple[SceneObject, ...]
    semantic_map: Classes
    instance_map: Classes
    background: BackgroundInfo

    def mask(self, index: int = 0) -> NDArray[np.bool_]:
        """Return where ``objects[index]`` is seen, (H, W)."""
        mask: NDArray[np.bool_] = self.instance_map == index + 1
        return mask


@dataclass(frozen=True, slots=True)
class _Drawn:
    """An object's pixels (H, W, 4), colours times alpha, and where they cover the frame."""

    pixels: NDArray[np.uint8]
    covers: NDArray[np.bool_]


def compose(config: SceneConfig, rng: np.random.Generator) -> Scene:
    """Compose one scene; all of it follows from ``config`` and the state of ``rng``."""
    glyphs = vocabulary(config.vocabulary)
    least, greatest = config.objects
    count = int(rng.integers(least, greatest + 1))
    class_ids = [int(i) for i in rng.choice(len(glyphs), size=count, replace=False)]
    chosen = [glyphs[class_id] for class_id in class_ids]
    background = _choose_background(config, chosen, rng)
    backdrop = draw_background(background, config.size, rng)
    drawn, instances = _arrange(config, chosen, rng)
    semantics = backdrop.semantics.copy()
    objects: list[SceneObject] = []
    for i, (glyph, class_id, layer) in enumerate(zip(chosen, class_ids, drawn, strict=True)):
        seen = instances == i + 1
        semantics[seen] = WATER + 1 + GROUPS.index(glyph.group)
        visible = float(seen.sum() / layer.covers.sum())
        objects.append(SceneObject(glyph, class_id, _box(layer.covers), visible))
    return Scene(
        image=_paint(backdrop.image, drawn, config.shadow),
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
    """Draw backgrounds until every object stands out, or return the best of those drawn."""
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
) -> tuple[list[_Drawn], Classes]:
    """Place and draw the objects so that none is mostly hidden; return them with the map."""
    indices = [glyph.index for glyph in glyphs]
    best: tuple[list[_Drawn], Classes] | None = None
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


def _draw(index: int, placement: Placement, size: int) -> _Drawn:
    pixels = draw_glyph(index, placement, size)
    return _Drawn(pixels, pixels[..., 3] >= _COVERED)


def _box(covers: NDArray[np.bool_]) -> Box:
    """Return the bounding box of the covered pixels as fractions of the frame, xyxy."""
    rows, columns = np.flatnonzero(covers.any(axis=1)), np.flatnonzero(covers.any(axis=0))
    size = len(covers)
    return (
        float(columns[0] / size),
        float(rows[0] / size),
        float((columns[-1] + 1) / size),
        float((rows[-1] + 1) / size),
    )


def _paint(
    backdrop: NDArray[np.floating], drawn: Sequence[_Drawn], shadow: bool
) -> NDArray[np.uint8]:
    """Paint the objects over the backdrop, back to front."""
    image = backdrop.copy()
    for layer in reversed(drawn):
        light = 1 - layer.pixels[..., 3:] / np.float32(255)
        if shadow:
            light *= 1 - np.float32(0.4) * _shadow(layer.pixels[..., 3])
        image *= light
        image += layer.pixels[..., :3]
    image += np.float32(0.5)
    np.minimum(image, 255, out=image)
    return image.astype(np.uint8)


def _shadow(alpha: NDArray[np.uint8]) -> NDArray[np.floating]:
    """Return a soft shadow, 0..1 of shape (H, W, 1), a little below the object."""
    size = len(alpha)
    drop = max(1, round(0.03 * size))
    lowered = np.zeros_like(alpha)
    lowered[drop:] = alpha[:-drop]
    soft = Image.fromarray(lowered).filter(ImageFilter.BoxBlur(0.025 * size))
    return np.asarray(soft, dtype=np.float32)[..., None] / np.float32(255)


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
