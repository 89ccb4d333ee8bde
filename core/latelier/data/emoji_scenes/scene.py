"""Composes scenes: an image with its caption, boxes and maps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from latelier.data.emoji_scenes.artwork import Artwork, Placement
from latelier.data.emoji_scenes.backgrounds import (
    BackgroundInfo,
    draw_background,
    sample_background,
)
from latelier.data.emoji_scenes.captions import write_caption, write_empty_caption
from latelier.data.emoji_scenes.claims import (
    Caption,
    Claims,
    observe_details,
    observe_relations,
    relate,
)
from latelier.data.emoji_scenes.config import SceneConfig
from latelier.data.emoji_scenes.detailed_captions import write_detailed_caption
from latelier.data.emoji_scenes.glyphs import GROUPS
from latelier.data.emoji_scenes.layers import Layer, paint_layers
from latelier.data.emoji_scenes.layout import Box, place_objects, scatter_objects
from latelier.data.emoji_scenes.objects import SceneObject, Subject, choose_subjects
from latelier.data.emoji_scenes.places import WATER

SEMANTIC_CLASSES = ("none", "sky", "ground", "water", *GROUPS)
"""Names of the ids of a semantic map."""

# An object counts as present where it covers at least half a pixel.
_COVERED = 128
_LEAST_VISIBLE = 0.4
_MOST_HIDDEN = 0.4
_ATTEMPTS = 24

Classes: TypeAlias = NDArray[np.uint8]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """An image and its exact annotations.

    Attributes:
        image: (H, W, 3) sRGB in 0..255.
        caption: a sentence or a list of tags.
        claims: what the caption says.
        class_id: class of the main object, `objects[0]`; -1: there is none.
        objects: the front-most object first; with slots, in any order; with `empty`, perhaps none.
        semantic_map: (H, W) positions in `SEMANTIC_CLASSES`.
        instance_map: (H, W), 0 for the background and i + 1 where `objects[i]` is visible.
        background: what is behind the objects.
    """

    image: NDArray[np.uint8]
    caption: str
    claims: Claims
    class_id: int
    objects: tuple[SceneObject, ...]
    semantic_map: Classes
    instance_map: Classes
    background: BackgroundInfo

    def mask(self, index: int = 0) -> NDArray[np.bool_]:
        """Return the mask (H, W) of the visible pixels of `objects[index]`."""
        mask: NDArray[np.bool_] = self.instance_map == index + 1
        return mask


@dataclass(frozen=True, slots=True)
class _Arrangement:
    """Objects with their placements and layers, all in the same order, and the instance map."""

    subjects: Sequence[Subject]
    placements: Sequence[Placement]
    layers: Sequence[Layer]
    instances: Classes


def compose(config: SceneConfig, rng: np.random.Generator) -> Scene:
    """Return a scene, which `config` and the state of `rng` determine."""
    subjects = choose_subjects(config, rng)
    background = _choose_background(config, subjects, rng)
    backdrop = draw_background(background, config.size, rng)
    arranged = _arrange(config, subjects, rng)
    semantics = backdrop.semantics.copy()
    objects: list[SceneObject] = []
    for i, subject in enumerate(arranged.subjects):
        covers = arranged.layers[i].covers
        shown = arranged.instances == i + 1
        semantics[shown] = WATER + 1 + GROUPS.index(subject.glyph.group)
        objects.append(
            SceneObject(
                subject.glyph,
                subject.class_id,
                subject.origin,
                subject.artwork,
                subject.depth,
                _box(covers),
                float(shown.sum() / covers.sum()),
                arranged.placements[i],
            )
        )
    layers = [layer for _, layer in _front_first(arranged.subjects, arranged.layers)]
    caption = _caption(config, objects, background, rng)
    return Scene(
        image=paint_layers(backdrop.image, layers, config.shadow),
        caption=caption.text,
        claims=caption.claims,
        class_id=subjects[0].class_id if subjects else -1,
        objects=tuple(objects),
        semantic_map=semantics,
        instance_map=arranged.instances,
        background=background,
    )


def _choose_background(
    config: SceneConfig, subjects: Sequence[Subject], rng: np.random.Generator
) -> BackgroundInfo:
    """Return a random background on which every object stands out, or the best of a few."""
    kind = config.backgrounds[rng.integers(len(config.backgrounds))]
    best, least = sample_background(kind, rng), 2.0
    for _ in range(_ATTEMPTS):
        candidate = sample_background(kind, rng)
        hidden = max(
            (each.artwork.hidden_share(tone) for each in subjects for tone in candidate.tones),
            default=0.0,
        )
        if hidden < least:
            best, least = candidate, hidden
        if hidden <= _MOST_HIDDEN:
            break
    return best


def _arrange(
    config: SceneConfig, subjects: Sequence[Subject], rng: np.random.Generator
) -> _Arrangement:
    """Return an arrangement in which no object is mostly hidden."""
    if not subjects:
        return _Arrangement([], [], [], np.zeros((config.size, config.size), dtype=np.uint8))
    place = place_objects
    if config.spread and rng.random() < config.spread:
        place = scatter_objects
    artworks = [subject.artwork for _, subject in _front_first(subjects, subjects)]
    best: _Arrangement | None = None
    most = 0.0
    for _ in range(_ATTEMPTS):
        placed = place(artworks, config, rng)
        arranged = _draw_all(config, subjects, [placed[subject.depth] for subject in subjects])
        shown = min(
            float((arranged.instances == i + 1).sum() / max(layer.covers.sum(), 1))
            for i, layer in enumerate(arranged.layers)
        )
        if shown > most:
            best, most = arranged, shown
        if shown >= _LEAST_VISIBLE:
            break
    if best is None:
        raise ValueError(f"size {config.size} is too small for {len(subjects)} objects")
    return best


def _draw_all(
    config: SceneConfig, subjects: Sequence[Subject], placements: Sequence[Placement]
) -> _Arrangement:
    """Return objects at their placements; with slots, as a collage of their boxes shows them."""
    if config.slots:
        placements = [
            subject.artwork.fit(placement)
            for subject, placement in zip(subjects, placements, strict=True)
        ]
        subjects = _put_small_in_front(subjects, placements)
    layers = [
        _draw(subject.artwork, placement, config.size)
        for subject, placement in zip(subjects, placements, strict=True)
    ]
    instances = np.zeros((config.size, config.size), dtype=np.uint8)
    for i, layer in reversed(_front_first(subjects, layers)):
        instances[layer.covers] = i + 1
    return _Arrangement(subjects, placements, layers, instances)


def _put_small_in_front(
    subjects: Sequence[Subject], placements: Sequence[Placement]
) -> list[Subject]:
    """Return the objects with new depths: the smaller the box, the nearer."""
    boxes = [
        subject.artwork.placed_box(placement)
        for subject, placement in zip(subjects, placements, strict=True)
    ]
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes]
    nearest = sorted(range(len(areas)), key=lambda i: (areas[i], -i))  # the last of equal ones
    return [replace(subject, depth=nearest.index(i)) for i, subject in enumerate(subjects)]


def _front_first(subjects: Sequence[Subject], values: Sequence[T]) -> list[tuple[int, T]]:
    """Return the values of objects, each with its number, the front-most object first."""
    return sorted(enumerate(values), key=lambda pair: subjects[pair[0]].depth)


def _draw(artwork: Artwork, placement: Placement, size: int) -> Layer:
    pixels = artwork.draw(placement, size)
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
) -> Caption:
    if not objects:
        return write_empty_caption(background, rng)
    names = [f"#{i + 1}" if config.slots else each.glyph.name for i, each in enumerate(objects)]
    if config.detailed_captions and rng.random() < config.detailed_captions:
        details, relations = observe_details(objects), observe_relations(objects)
        return write_detailed_caption(names, background, details, relations, rng)
    named = background if rng.random() < config.captioned_background else None
    words = relate(objects, 0, 1) if len(objects) == 2 else None
    return write_caption(names, named, rng, words)
