"""Drawings of the atlas that look alike, but for their size or a little."""

import functools

import numpy as np
from numpy.typing import NDArray

from latelier.data.emoji_scenes import all_glyphs
from latelier.data.emoji_scenes.artwork import Placement, glyph_artwork

_SIDE = 24
"""Of the pictures, in pixels, in which drawings are compared."""

_SAME_SHAPES = (
    (
        "white large square",
        "white medium square",
        "white medium-small square",
        "white small square",
    ),
    (
        "black large square",
        "black medium square",
        "black medium-small square",
        "black small square",
    ),
    ("large orange diamond", "small orange diamond"),
    ("large blue diamond", "small blue diamond"),
)


def look_alike(first: int, second: int) -> bool:
    """Return whether two drawings, by their index in the atlas, are the same but for their size."""
    shapes = _shapes()
    return shapes.get(first, first) == shapes.get(second, second)


@functools.cache
def list_most_alike(glyph: int, count: int) -> tuple[int, ...]:
    """Return the drawings whose pixels are most like those of one, upright and of one size.

    Those that only their size tells apart from it are left out.
    """
    drawings = _draw_all()
    errors = np.square(drawings - drawings[glyph]).sum(1)
    others = (int(each) for each in errors.argsort(kind="stable"))
    return tuple(each for each in others if not look_alike(each, glyph))[:count]


@functools.cache
def _draw_all() -> NDArray[np.float32]:
    """Return all drawings with their alpha, (N, 4 `_SIDE`^2)."""
    placement = Placement(0.5, 0.5, 1.0)
    drawn = [glyph_artwork(each.index).draw(placement, _SIDE) for each in all_glyphs()]
    return np.stack(drawn).reshape(len(drawn), -1).astype(np.float32)


@functools.cache
def _shapes() -> dict[int, int]:
    """Return the index of the first drawing of the same shape, by index."""
    numbers = {glyph.name: glyph.index for glyph in all_glyphs()}
    return {numbers[name]: numbers[names[0]] for names in _SAME_SHAPES for name in names}
