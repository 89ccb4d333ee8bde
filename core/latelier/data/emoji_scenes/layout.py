"""Positions of objects in an image, and the relation of two of them."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal

import numpy as np

from latelier.data.emoji_scenes.artwork import Artwork, Placement
from latelier.data.emoji_scenes.config import SceneConfig

Box = tuple[float, float, float, float]
"""Left, top, right, bottom as fractions of the image."""

Relation = Literal[
    "to the left of", "to the right of", "above", "below", "in front of", "behind", "overlapping"
]
"""Words for what an object is to another one."""

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

_INVERSE: Mapping[Relation, Relation] = {
    "to the left of": "to the right of",
    "to the right of": "to the left of",
    "above": "below",
    "below": "above",
    "in front of": "behind",
    "behind": "in front of",
    "overlapping": "overlapping",
}

_OVERLAPPING = 0.03
"""Least overlap of two boxes, in both directions, of objects that overlap."""

_PLAIN = 0.1
"""Least difference of two gaps, and least overlap, that is plain to see."""

_SCATTERED_SIZES = (1.0, 0.66, 0.54, 0.46)
"""Size of 1 to 4 scattered objects, relative to a lone one."""

_ATTEMPTS = 20
_MOST_OVERLAP = 0.08


def place_objects(
    artworks: Sequence[Artwork],
    config: SceneConfig,
    rng: np.random.Generator,
) -> list[Placement]:
    """Return a random placement for each of 1 to 4 artworks, the front-most object first.

    Args:
        artworks: of the objects.
        config: has the range of sizes (several objects are smaller), that of angles, and whether to
            mirror half of the objects.
        rng: source of random numbers.
    """
    if len(artworks) == 1:
        cells: Sequence[Cell] = ((0.5, 0.5, 1.0),)
    else:
        choices = _ARRANGEMENTS[len(artworks)]
        cells = choices[rng.integers(len(choices))]
        # Any object may stand in any cell, except where the sizes say which is in front.
        if len({cell[2] for cell in cells}) == 1:
            cells = [cells[int(i)] for i in rng.permutation(len(cells))]
    return [
        _place(artwork, cell, config, rng) for artwork, cell in zip(artworks, cells, strict=True)
    ]


def scatter_objects(
    artworks: Sequence[Artwork],
    config: SceneConfig,
    rng: np.random.Generator,
) -> list[Placement]:
    """Return a placement anywhere in the image for each of 1 to 4 artworks, largely apart.

    Args are those of `place_objects`.
    """
    shrink = _SCATTERED_SIZES[len(artworks) - 1]
    best: list[Placement] = []
    least = 2.0
    for _ in range(_ATTEMPTS):
        placements = [_scatter(each, shrink, config, rng) for each in artworks]
        boxes = [
            _bounds(artwork, placement)
            for artwork, placement in zip(artworks, placements, strict=True)
        ]
        overlap = max((_overlap(*pair) for pair in combinations(boxes, 2)), default=0.0)
        if overlap < least:
            best, least = placements, overlap
        if overlap <= _MOST_OVERLAP:
            break
    return best


def _scatter(
    artwork: Artwork,
    shrink: float,
    config: SceneConfig,
    rng: np.random.Generator,
) -> Placement:
    """Return a placement anywhere inside the image, if it fits."""
    size = float(rng.uniform(*config.scale)) * shrink
    angle = float(rng.uniform(*config.rotation))
    mirrored = bool(rng.random() < 0.5) and config.mirror
    x, y = (
        _clamp_center(half + float(share) * (1 - 2 * half), half)
        for half, share in zip(
            (half * size for half in artwork.half_extent(angle)), rng.random(2), strict=True
        )
    )
    return Placement(x, y, size, angle, mirrored)


def _bounds(artwork: Artwork, placement: Placement) -> Box:
    half_width, half_height = (
        half * placement.scale for half in artwork.half_extent(placement.angle)
    )
    x, y = placement.x, placement.y
    return x - half_width, y - half_height, x + half_width, y + half_height


def _overlap(first: Box, second: Box) -> float:
    """Return the share of the smaller box, 0..1, that the other one covers."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return max(width, 0.0) * max(height, 0.0) / min(areas)


def _place(
    artwork: Artwork,
    cell: Cell,
    config: SceneConfig,
    rng: np.random.Generator,
) -> Placement:
    """Return a placement near the centre of a cell, wholly inside the image if it fits."""
    size = float(rng.uniform(*config.scale)) * cell[2]
    angle = float(rng.uniform(*config.rotation))
    half_width, half_height = (half * size for half in artwork.half_extent(angle))
    jitter = rng.uniform(-0.04, 0.04, size=2)
    mirrored = bool(rng.random() < 0.5) and config.mirror
    x = _clamp_center(cell[0] + jitter[0], half_width)
    y = _clamp_center(cell[1] + jitter[1], half_height)
    return Placement(x, y, size, angle, mirrored)


def _clamp_center(center: float, half: float) -> float:
    """Return the centre, moved so that `half` on both sides lies in 0..1 if that is possible."""
    if half >= 0.5:
        return 0.5
    return float(min(max(center, half), 1 - half))


def relation(first: Box, second: Box) -> Relation:
    """Return the relation of `first` (in front) to `second`, such as "to the left of"."""
    if do_overlap(first, second):
        inside = (
            first[0] >= second[0]
            and first[1] >= second[1]
            and first[2] <= second[2]
            and first[3] <= second[3]
        )
        return "in front of" if inside else "overlapping"
    return direction(first, second)


def direction(first: Box, second: Box) -> Relation:
    """Return on which side of `second` the box `first` is, such as "to the left of"."""
    gap_x, gap_y = gaps(first, second)
    if gap_x > gap_y:
        return "to the left of" if first[0] < second[0] else "to the right of"
    return "above" if first[1] < second[1] else "below"


def inverse(words: Relation) -> Relation:
    """Return the relation of the second object to the first."""
    return _INVERSE[words]


def do_overlap(first: Box, second: Box) -> bool:
    """Return whether two boxes overlap noticeably."""
    return max(gaps(first, second)) < -_OVERLAPPING


def is_plain(first: Box, second: Box) -> bool:
    """Return whether the relation of two boxes is plain to see: not both beside and above."""
    gap_x, gap_y = gaps(first, second)
    if do_overlap(first, second):
        return gap_x < -_PLAIN and gap_y < -_PLAIN
    return max(gap_x, gap_y) > -_OVERLAPPING / 2 and abs(gap_x - gap_y) > _PLAIN


def gaps(first: Box, second: Box) -> tuple[float, float]:
    """Return the horizontal and the vertical distance of two boxes, negative where they overlap."""
    gap_x = max(first[0] - second[2], second[0] - first[2])
    gap_y = max(first[1] - second[3], second[1] - first[3])
    return gap_x, gap_y
