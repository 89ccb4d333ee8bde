"""Boxes for objects that meet what a text says about them, drawn from a seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from latelier.contracts.inputs import Box
from latelier.pipeline.planning.references.arrangement.regions import WHOLE
from latelier.pipeline.planning.references.arrangement.wishes import Place, Relation, Size, Wishes

Floats: TypeAlias = NDArray[np.float64]

DRAWN = 10_000
"""Arrangements that are drawn, of which the first that meets all wishes is taken."""

_Range: TypeAlias = tuple[float, float]

# Longest sides of objects, 1 for the shorter side of the region.
_LONE: Mapping[Size | None, _Range] = {
    None: (0.5, 0.85),
    "small": (0.3, 0.44),
    "large": (0.75, 0.95),
}
_SEVERAL: Mapping[Size | None, _Range] = {
    None: (0.42, 0.56),
    "small": (0.2, 0.3),
    "large": (0.5, 0.62),
}
_IN_FRONT, _BEHIND = (0.3, 0.45), (0.65, 0.9)

_FILLING: Mapping[Size | None, _Range] = {
    None: (0.75, 0.95),
    "small": (0.4, 0.55),
    "large": (0.9, 1.0),
}
"""Sizes of a lone object in a part of the picture, 1 for the largest that fits: whoever marks a
part means the object to fill it."""

_CENTRED = 0.06
"""How far a lone object is from the centre where nothing is said."""

_BEFORE, _AFTER = 0.38, 0.62
_PLAIN = 0.1
"""How far boxes overlap, along both axes or beside each other, so that a relation is plain."""

_HIDDEN = 0.6
"""Largest overlap along one of the axes, 1 for the smaller object, so that both can be told."""

_APART = 0.02

_OFF_CENTRE, _MARGIN = 0.08, 0.03
"""Shares of the region that the centre of several objects may be off its middle, and that should
remain at its edges: a picture whose objects hang at one side looks cut out of a larger one."""

_DIRECTIONS: Mapping[Relation, tuple[int, int]] = {
    "left of": (0, -1),
    "right of": (0, 1),
    "above": (1, -1),
    "below": (1, 1),
}
"""Axis and sign of the way from an object to one that is `relation` it."""


@dataclass(frozen=True)
class _Arrangements:
    """Many arrangements of the same objects, in units of the shorter side of the region.

    Attributes:
        centres: (M, K, 2), from the upper left corner of the region.
        halves: (M, K, 2), half of the width and height of each box.
        extent: (2,), width and height of the region.
    """

    centres: Floats
    halves: Floats
    extent: Floats


def arrange(
    aspects: Sequence[float],
    wishes: Wishes,
    size: tuple[int, int],
    rng: np.random.Generator,
    region: Box = WHOLE,
) -> tuple[Box, ...]:
    """Return a box for each object.

    Args:
        aspects: width / height of each.
        wishes: that are met, as far as they can be.
        size: (width, height) of the picture in pixels.
        rng: what is not said is drawn from it.
        region: part of the picture that all objects are in.
    """
    pixels = np.array([(region.x1 - region.x0) * size[0], (region.y1 - region.y0) * size[1]])
    extent = pixels / pixels.min()
    shapes = np.array([(min(aspect, 1), min(1 / aspect, 1)) for aspect in aspects])
    fills = len(aspects) == 1 and region != WHOLE
    sizes = [_fill(shapes[0], extent, wishes)] if fills else _choose_sizes(len(aspects), wishes)
    drawn = _draw(shapes, extent, sizes, is_centred=not wishes.places, rng=rng)
    faults = _count_faults(drawn, wishes)
    if len(aspects) > 1 and not wishes.places:
        faults += _measure_imbalance(drawn)
    best = int(faults.argmin())  # the first of the best
    corners = np.stack(
        [drawn.centres[best] - drawn.halves[best], drawn.centres[best] + drawn.halves[best]], axis=1
    )
    start = np.array([region.x0, region.y0])
    shares = start + corners * pixels.min() / np.array(size)  # (K, 2, 2)
    boxes = shares.clip(0, 1).reshape(-1, 4).tolist()
    return tuple(Box(x0=x0, y0=y0, x1=x1, y1=y1) for x0, y0, x1, y1 in boxes)


def _draw(
    shapes: Floats,
    extent: Floats,
    sizes: Sequence[_Range],
    *,
    is_centred: bool,
    rng: np.random.Generator,
) -> _Arrangements:
    """Return random arrangements in which every box is inside the region.

    Args:
        shapes: (K, 2), width and height of each object, 1 for the longer one.
        extent: (2,), of the region.
        sizes: of the longer side of each object.
        is_centred: whether a lone object is near the centre.
        rng: source of the arrangements.
    """
    count = len(shapes)
    low, high = np.array(sizes).T
    sides = rng.uniform(low, high, (DRAWN, count))
    halves = np.minimum(sides[..., None] * shapes, extent) / 2
    free = extent - 2 * halves
    centres = halves + rng.random((DRAWN, count, 2)) * free
    if count == 1 and is_centred:
        middle = extent / 2 + rng.uniform(-_CENTRED, _CENTRED, (DRAWN, 1, 2))
        centres = np.clip(middle, halves, extent - halves)
    return _Arrangements(centres, halves, extent)


def _fill(shape: Floats, extent: Floats, wishes: Wishes) -> _Range:
    """Return the range of the longest side of a lone object in a part of the picture."""
    largest = float((extent / shape).min())
    low, high = _FILLING[wishes.sizes.get(0)]
    return low * largest, high * largest


def _choose_sizes(count: int, wishes: Wishes) -> list[_Range]:
    """Return the range of the longest side of each object."""
    ranges = _LONE if count == 1 else _SEVERAL
    shrink = 1.0 if count < 3 else 2.4 / count
    sizes = [tuple(shrink * end for end in ranges[wishes.sizes.get(k)]) for k in range(count)]
    for a, relation, b in wishes.relations:
        if relation in ("in front of", "behind"):
            front, back = (a, b) if relation == "in front of" else (b, a)
            sizes[front], sizes[back] = _IN_FRONT, _BEHIND
    return [(low, high) for low, high in sizes]


def _count_faults(drawn: _Arrangements, wishes: Wishes) -> Floats:
    """Return for each arrangement how many wishes it misses, and how much objects overlap."""
    faults = np.zeros(len(drawn.centres))
    for k, place in wishes.places.items():
        if k < drawn.centres.shape[1]:
            faults += ~_is_at(drawn, k, place)
    related: dict[frozenset[int], tuple[int, Relation | None, int]] = {
        frozenset((a, b)): (a, relation, b) for a, relation, b in wishes.relations
    }
    for a in range(drawn.centres.shape[1]):
        for b in range(a):
            subject, relation, other = related.get(frozenset((a, b)), (a, None, b))
            faults += _misses(drawn, subject, relation, other)
    return faults


def _is_at(drawn: _Arrangements, k: int, place: Place) -> NDArray[np.bool_]:
    """Return whether the centre of object k is in a third of the region."""
    shares = drawn.centres[:, k] / drawn.extent
    met = np.ones(len(shares), dtype=np.bool_)
    for share, third in zip(shares.T, place, strict=True):
        thirds = {-1: share <= _BEFORE, 0: (share > _BEFORE) & (share < _AFTER), 1: share >= _AFTER}
        met &= thirds[third]
    return met


def _misses(drawn: _Arrangements, a: int, relation: Relation | None, b: int) -> Floats:
    """Return the fault of two objects: their relation is not plain to see, or they overlap."""
    offsets = drawn.centres[:, a] - drawn.centres[:, b]  # (M, 2)
    gaps = np.abs(offsets) - drawn.halves[:, a] - drawn.halves[:, b]
    if relation in ("overlapping", "in front of", "behind"):
        most = _HIDDEN * 2 * np.minimum(drawn.halves[:, a], drawn.halves[:, b])
        are_both_seen = (gaps > -most).any(axis=1)
        return np.where((gaps < -_PLAIN).all(axis=1) & are_both_seen, 0.0, 1.0)
    faults = np.maximum(_APART - gaps.max(axis=1), 0) * 4  # the less they overlap, the better
    if relation is not None:
        axis, sign = _DIRECTIONS[relation]
        is_met = (sign * offsets[:, axis] > 0) & (gaps[:, 1 - axis] < -_PLAIN)
        faults += ~is_met
    return np.asarray(faults)


def _measure_imbalance(drawn: _Arrangements) -> Floats:
    """Return how far each arrangement is from a balanced one: below 1, the fault of a wish."""
    areas = drawn.halves.prod(axis=2, keepdims=True)  # (M, K, 1)
    middles = (areas * drawn.centres).sum(axis=1) / areas.sum(axis=1) / drawn.extent  # (M, 2)
    ends = np.minimum(drawn.centres, drawn.extent - drawn.centres) - drawn.halves
    margins = (ends / drawn.extent).min(axis=(1, 2))
    off_centre = np.abs(middles - 0.5).max(axis=1) - _OFF_CENTRE
    return np.asarray(np.maximum(off_centre, 0) + np.maximum(_MARGIN - margins, 0))
