"""The objects of scenes: which are chosen, in which artwork."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from latelier.data.emoji_scenes.artwork import Artwork, Placement, glyph_artwork
from latelier.data.emoji_scenes.config import SceneConfig
from latelier.data.emoji_scenes.glyphs import Glyph, vocabulary
from latelier.data.emoji_scenes.layout import Box
from latelier.data.emoji_scenes.variants.drawings import make_drawing
from latelier.data.emoji_scenes.variants.styles import restyle

Origin = Literal["atlas", "restyled", "drawn"]
"""Where an artwork comes from: the atlas, a style of one of its drawings, or code alone."""

_DRAWN_GROUP = "Symbols"


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What an object shows.

    Attributes:
        glyph: the pictogram; of a drawing by code, one that is not in the atlas, with index -1.
        class_id: position in the vocabulary; the number after its last one for a drawing by code.
        origin: of the artwork.
        artwork: upright and not mirrored.
        depth: number of the objects in front of it.
    """

    glyph: Glyph
    class_id: int
    origin: Origin
    artwork: Artwork
    depth: int


@dataclass(frozen=True, slots=True, eq=False)
class SceneObject(Subject):
    """One object of a scene: what it shows, and where.

    Attributes:
        box: of the whole object with its hidden parts, as fractions of the image.
        visible: share of its pixels, 0..1, that no other object covers.
        placement: position, size and orientation of the artwork.
    """

    box: Box
    visible: float
    placement: Placement


def choose_subjects(config: SceneConfig, rng: np.random.Generator) -> list[Subject]:
    """Return what the objects of a scene show, which is the first that is drawn of a scene.

    The front-most object is the first one, unless captions have slots.
    """
    if config.empty and rng.random() < config.empty:
        return []
    least, greatest = config.objects
    count = int(rng.integers(least, greatest + 1))
    drawn_from = config.class_ids
    class_ids = [drawn_from[place] for place in rng.choice(len(drawn_from), count, replace=False)]
    looks = [_choose_look(config, class_id, rng) for class_id in class_ids]
    if config.repeated and count > 1 and rng.random() < config.repeated:
        copies = int(rng.integers(2, count + 1))
        first = int(rng.integers(count - copies + 1))
        looks[first : first + copies] = [looks[first]] * copies
    depths: Sequence[int] = range(count)
    if config.slots:
        depths = [int(depth) for depth in rng.permutation(count)]
    return [Subject(*look, depth) for look, depth in zip(looks, depths, strict=True)]


def _choose_look(
    config: SceneConfig, class_id: int, rng: np.random.Generator
) -> tuple[Glyph, int, Origin, Artwork]:
    """Return the pictogram, class, origin and artwork of an object."""
    glyphs = vocabulary(config.vocabulary)
    if config.drawn and rng.random() < config.drawn:
        drawing = make_drawing(rng)
        glyph = Glyph(-1, "", drawing.name, _DRAWN_GROUP, "drawn")
        return glyph, len(glyphs), "drawn", drawing.artwork
    glyph = glyphs[class_id]
    artwork = glyph_artwork(glyph.index)
    if config.restyled and rng.random() < config.restyled:
        return glyph, class_id, "restyled", restyle(artwork, rng)
    return glyph, class_id, "atlas", artwork
