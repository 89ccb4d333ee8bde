"""The geometry of tiles: which area each reads, and which it writes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import ceil, lcm, prod

from latelier.first_stages.tiling.chain import Step

Area = tuple[slice, slice]
"""Rows and columns."""


@dataclass(frozen=True)
class Tile:
    """One tile of the output of a sequence of steps over a map.

    Attributes:
        source: the area of the input that the tile depends on.
        interior: the part of the steps' output for `source` that equals the whole map's.
        target: where the interior lies in the whole output.
    """

    source: Area
    interior: Area
    target: Area


def split_map(size: Sequence[int], side: int, steps: Sequence[Step]) -> Iterator[Tile]:
    """Yield the tiles of a map of `size` (h, w), of `side` positions of the input."""
    halo, scale = total_halo(steps), total_scale(steps)
    rows, columns = (list(_split_side(length, side, halo, scale)) for length in size)
    for row, column in product(rows, columns):
        yield Tile(*zip(row, column, strict=True))


def total_halo(steps: Sequence[Step]) -> int:
    """Return the positions of the input beyond each edge that a tile depends on.

    Rounded up, so that an area that begins there still halves evenly.
    """
    halo, even = 0, 1
    for step in reversed(steps):
        halo = ceil(halo / step.scale) + step.halo
        even = lcm(1, ceil(even / step.scale)) if step.scale < 1 else even
    return ceil(halo / even) * even


def total_scale(steps: Sequence[Step]) -> Fraction:
    """Return the factor of the sides of a map."""
    return prod((step.scale for step in steps), start=Fraction(1))


def _split_side(
    length: int, side: int, halo: int, scale: Fraction
) -> Iterator[tuple[slice, slice, slice]]:
    """Yield source, interior and target of the tiles along one side."""
    for start in range(0, length, side):
        stop = min(start + side, length)
        low, high = max(0, start - halo), min(length, stop + halo)
        interior = slice(int((start - low) * scale), int((stop - low) * scale))
        yield slice(low, high), interior, slice(int(start * scale), int(stop * scale))
