"""Positions of objects in an image, and the relation of two of them."""

from collections.abc import Sequence

import numpy as np

from latelier.data.emoji_scenes.artwork import Placement, extent

Box = tuple[float, float, float, float]
"""Left, top, right, bottom as fractions of the image."""

Cell = tuple[float, float, float]
"""Nominal x and y of an object, and its size relative to a lone one."""

_ARRANGEMENTS: dict[int, tuple[tuple[Cell, ...], ...]] = {
    2: (
        ((0.28, 0.5, 0.66), (0.72, 0.5, 0.66)),
        ((0.5, 0.28, 0.66), (0.5, 0.72, 0.66)),
        ((0.36, 0.6, 0.7), (0.66, 0.42, 0.7)),
        ((0.5, 0.62, 0.42), (0.5, 0.5, 1.1)),
    ),
    3: (
        ((0.27, 0.7, 0.55), (0.73, 0.7, 0.55), (0.5, 0.27, 0.55)),
        ((0.25, 0.3, 0.5), (0.5, 0.7, 0.55), (0.75, 0.3, 0.5)),
    ),
    4: (((0.27, 0.27, 0.52), (0.73, 0.27, 0.52), (0.27, 0.73, 0.52), (0.73, 0.73, 0.52)),),
}


def place_objects(
    glyphs: Sequence[int],
    scale: tuple[float, float],
    rotation: tuple[float, float],
    mirror: bool,
    rng: np.random.Generator,
) -> list[Placement]:
    """Return a random placement for each of 1 to 4 glyphs, the front-most object first.

    Args:
        glyphs: indices of the glyphs.
        scale: range of a lone object's longest side, as a fraction of the image; several objects
            are smaller.
        rotation: range of the angle, in degrees.
        mirror: whether to mirror half of the objects.
        rng: source of random numbers.
    """
    if len(glyphs) == 1:
        cells: Sequence[Cell] = ((0.5, 0.5, 1.0),)
    else:
        choices = _ARRANGEMENTS[len(glyphs)]
        cells = choices[rng.integers(len(choices))]
        # Any object may stand in any cell, except where the sizes say which is in front.
        if len({cell[2] for cell in cells}) == 1:
            cells = [cells[int(i)] for i in rng.permutation(len(cells))]
    return [
        _place(glyph, cell, scale, rotation, mirror, rng)
        for glyph, cell in zip(glyphs, cells, strict=True)
    ]


def _place(
    glyph: int,
    cell: Cell,
    scale: tuple[float, float],
    rotation: tuple[float, float],
    mirror: bool,
    rng: np.random.Generator,
) -> Placement:
    """Return a placement near the centre of a cell, wholly inside the image if it fits."""
    size = float(rng.uniform(*scale)) * cell[2]
    angle = float(rng.uniform(*rotation))
    half_width, half_height = (half * size for half in extent(glyph, angle))
    jitter = rng.uniform(-0.04, 0.04, size=2)
    mirrored = bool(rng.random() < 0.5) and mirror
    x = _clamp_center(cell[0] + jitter[0], half_width)
    y = _clamp_center(cell[1] + jitter[1], half_height)
    return Placement(x, y, size, angle, mirrored)


def _clamp_center(center: float, half: float) -> float:
    """Return the centre, moved so that `half` on both sides lies in 0..1 if that is possible."""
    if half >= 0.5:
        return 0.5
    return float(min(max(center, half), 1 - half))


def relation(first: Box, second: Box) -> str | None:
    """Return the relation of `first` (in front) to `second`, such as "to the left of"."""
    gap_x = max(first[0] - second[2], second[0] - first[2])
    gap_y = max(first[1] - second[3], second[1] - first[3])
    if gap_x < -0.03 and gap_y < -0.03:
        inside = (
            first[0] >= second[0]
            and first[1] >= second[1]
            and first[2] <= second[2]
            and first[3] <= second[3]
        )
        return "in front of" if inside else "overlapping"
    if gap_x > gap_y:
        return "to the left of" if first[0] < second[0] else "to the right of"
    return "above" if first[1] < second[1] else "below"
