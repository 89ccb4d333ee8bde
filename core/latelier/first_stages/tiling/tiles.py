"""Where the tiles of a map lie: what each looks at, and what it gives."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import ceil, lcm, prod

from latelier.first_stages.tiling.chain import Step, halo, scale

Area = tuple[slice, slice]
"""Rows and columns."""


@dataclass(frozen=True)
class Tile:
    """One tile of what a chain of steps makes of a map.

    seen: the part of the input that it needs. own: of what the steps make of that, the part that
    is the same as in the whole. place: where that lies in the whole output.
    """

    seen: Area
    own: Area
    place: Area


def tiles(size: Sequence[int], side: int, steps: Sequence[Step]) -> Iterator[Tile]:
    """Yield the tiles of a map of `size` (h, w), of `side` positions of the input."""
    looks, factor = reach(steps), total_scale(steps)
    rows, columns = (list(_spans(length, side, looks, factor)) for length in size)
    for row, column in product(rows, columns):
        yield Tile(*zip(row, column, strict=True))


def reach(steps: Sequence[Step]) -> int:
    """Return how far steps look beyond each edge of a tile, in positions of their input.

    It is rounded up so that a part that begins there still halves evenly.
    """
    looks, even = 0, 1
    for step in reversed(steps):
        looks = ceil(looks / scale(step)) + halo(step)
        even = lcm(1, ceil(even / scale(step))) if scale(step) < 1 else even
    return ceil(looks / even) * even


def total_scale(steps: Sequence[Step]) -> Fraction:
    """Return the factor by which steps change the sides."""
    return prod((scale(step) for step in steps), start=Fraction(1))


def _spans(
    length: int, side: int, looks: int, factor: Fraction
) -> Iterator[tuple[slice, slice, slice]]:
    """Yield `seen`, `own` and `place` of the tiles along one side."""
    for start in range(0, length, side):
        stop = min(start + side, length)
        low, high = max(0, start - looks), min(length, stop + looks)
        own = slice(int((start - low) * factor), int((stop - low) * factor))
        yield slice(low, high), own, slice(int(start * factor), int(stop * factor))
