"""Drawings of the atlas that only their size tells apart, which a scene does not show."""

import functools

from latelier.data.emoji_scenes import all_glyphs

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
def _shapes() -> dict[int, int]:
    """Return the index of the first drawing of the same shape, by index."""
    numbers = {glyph.name: glyph.index for glyph in all_glyphs()}
    return {numbers[name]: numbers[names[0]] for names in _SAME_SHAPES for name in names}
