"""Outlines of shapes with random proportions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Polygon: TypeAlias = NDArray[np.floating]
"""Corners (N, 2), x to the right and y down, about within -1..1."""

_ROUND = np.linspace(0, 2 * np.pi, 60, endpoint=False)


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A filled polygon with holes in it."""

    outer: Polygon
    holes: tuple[Polygon, ...] = ()


Outline: TypeAlias = Callable[[np.random.Generator], Shape]


def draw_shape(name: str, rng: np.random.Generator) -> Shape:
    """Return a shape of a kind, one of `SHAPES`, with random proportions within -1..1."""
    shape = SHAPES[name](rng)
    low, high = shape.outer.min(axis=0), shape.outer.max(axis=0)
    middle, scale = (low + high) / 2, 2 / (high - low).max()
    outer, *holes = ((polygon - middle) * scale for polygon in (shape.outer, *shape.holes))
    return Shape(outer, tuple(holes))


def _polar(radius: NDArray[np.floating] | float, angle: NDArray[np.floating]) -> Polygon:
    """Return points at angles clockwise from the top."""
    return np.stack([radius * np.sin(angle), -radius * np.cos(angle)], axis=-1)


def _corners(*points: tuple[float, float]) -> Polygon:
    return np.array(points, dtype=np.float64)


def _box(width: float, height: float) -> Polygon:
    return _corners((-width, -height), (width, -height), (width, height), (-width, height))


def _rounded_box(width: float, height: float, radius: float) -> Polygon:
    """Return a box with round corners."""
    turns = np.linspace(0, np.pi / 2, 8)
    centers = (
        (width - radius, radius - height),
        (width - radius, height - radius),
        (radius - width, height - radius),
        (radius - width, radius - height),
    )
    return np.concatenate(
        [_polar(radius, turns + k * np.pi / 2) + center for k, center in enumerate(centers)]
    )


def _circle(_rng: np.random.Generator) -> Shape:
    return Shape(_polar(1.0, _ROUND))


def _oval(rng: np.random.Generator) -> Shape:
    return Shape(_polar(1.0, _ROUND) * (1.0, rng.uniform(0.45, 0.75)))


def _ring(rng: np.random.Generator) -> Shape:
    return Shape(_polar(1.0, _ROUND), (_polar(rng.uniform(0.4, 0.7), _ROUND),))


def _square(rng: np.random.Generator) -> Shape:
    return Shape(_rounded_box(1.0, 1.0, rng.uniform(0.02, 0.35)))


def _rectangle(rng: np.random.Generator) -> Shape:
    sides = 1.0, rng.uniform(0.4, 0.7)
    width, height = sides if rng.random() < 0.5 else sides[::-1]
    return Shape(_rounded_box(width, height, rng.uniform(0.02, 0.3)))


def _frame(rng: np.random.Generator) -> Shape:
    height, hole = rng.uniform(0.7, 1.0), rng.uniform(0.25, 0.5)
    return Shape(_box(1.0, height), (_box(1.0 - hole, height - hole),))


def _triangle(rng: np.random.Generator) -> Shape:
    return Shape(_corners((rng.uniform(-0.6, 0.6), -1), (1, rng.uniform(0.6, 1)), (-1, 0.8)))


def _polygon(rng: np.random.Generator) -> Shape:
    count = int(rng.integers(5, 9))
    return Shape(_polar(1.0, np.arange(count) * 2 * np.pi / count))


def _diamond(rng: np.random.Generator) -> Shape:
    width = rng.uniform(0.55, 0.9)
    return Shape(_corners((0, -1), (width, 0), (0, 1), (-width, 0)))


def _trapezoid(rng: np.random.Generator) -> Shape:
    top, shift = rng.uniform(0.3, 0.7), rng.uniform(-0.3, 0.3)
    return Shape(_corners((shift - top, -0.7), (shift + top, -0.7), (1, 0.7), (-1, 0.7)))


def _star(rng: np.random.Generator) -> Shape:
    count = int(rng.integers(4, 10))
    radius = np.tile([1.0, rng.uniform(0.4, 0.65)], count)
    return Shape(_polar(radius, np.arange(2 * count) * np.pi / count))


def _heart(rng: np.random.Generator) -> Shape:
    # https://mathworld.wolfram.com/HeartCurve.html, the parametric one
    t = _ROUND
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return Shape(np.stack([16 * np.sin(t) ** 3, -rng.uniform(0.85, 1.1) * y], axis=-1))


def _cross(rng: np.random.Generator) -> Shape:
    w = rng.uniform(0.2, 0.42)
    quarter = _corners((-w, -1), (w, -1), (w, -w))
    turns = (np.array([[0.0, 1.0], [-1.0, 0.0]]),) * 3
    quarters = [quarter]
    for turn in turns:
        quarters.append(quarters[-1] @ turn)
    return Shape(np.concatenate(quarters))


def _arrow(rng: np.random.Generator) -> Shape:
    shaft, head, neck = rng.uniform(0.15, 0.32), rng.uniform(0.55, 0.9), rng.uniform(-0.1, 0.35)
    upper = _corners((-1, -shaft), (neck, -shaft), (neck, -head), (1, 0))
    points = np.concatenate([upper, upper[-2::-1] * (1, -1)])
    turned = (points, points * (-1, 1), points[:, ::-1], -points[:, ::-1])
    return Shape(turned[rng.integers(4)])


def _chevron(rng: np.random.Generator) -> Shape:
    depth = rng.uniform(0.4, 0.7)
    points = _corners((-1, -1), (0.1, -1), (0.1 + depth, 0), (0.1, 1), (-1, 1), (depth - 1, 0))
    return Shape(points if rng.random() < 0.5 else points * (-1, 1))


def _gear(rng: np.random.Generator) -> Shape:
    count, depth = int(rng.integers(6, 13)), rng.uniform(0.7, 0.82)
    radius = np.tile([1.0, 1.0, depth, depth], count)
    steps = (np.arange(count)[:, None] + (-0.17, 0.17, 0.28, 0.72)).ravel()
    hole = _polar(rng.uniform(0.2, 0.45), _ROUND)
    return Shape(_polar(radius, steps * 2 * np.pi / count), (hole,))


def _crescent(rng: np.random.Generator) -> Shape:
    bend = rng.uniform(0.3, 0.75)
    side = np.linspace(0, np.pi, 30)
    points = np.concatenate([_polar(1.0, side), (_polar(1.0, side) * (bend, 1))[::-1]])
    return Shape(points if rng.random() < 0.5 else points * (-1, 1))


def _half_disc(_rng: np.random.Generator) -> Shape:
    return Shape(_polar(1.0, np.linspace(-np.pi / 2, np.pi / 2, 32)))


def _slice(rng: np.random.Generator) -> Shape:
    gap, start = rng.uniform(0.4, 2.6), rng.uniform(0, 2 * np.pi)
    arc = _polar(1.0, np.linspace(start, start + 2 * np.pi - gap, 48))
    return Shape(np.concatenate([arc, np.zeros((1, 2))]))


def _drop(rng: np.random.Generator) -> Shape:
    # a teardrop curve: x = sin t sin^m(t / 2), y = -cos t
    t, power = _ROUND, rng.uniform(1.5, 3)
    return Shape(np.stack([np.sin(t) * np.sin(t / 2) ** power, -np.cos(t)], axis=-1))


def _leaf(rng: np.random.Generator) -> Shape:
    t = _ROUND
    half_width = rng.uniform(0.4, 0.6) * np.abs(np.sin(t)) ** 1.6
    points = np.stack([np.sign(np.sin(t)) * half_width, -np.cos(t)], axis=-1)
    tilt = rng.uniform(-0.9, 0.9)
    cosine, sine = np.cos(tilt), np.sin(tilt)
    return Shape(points @ np.array([[cosine, sine], [-sine, cosine]]))


def _flower(rng: np.random.Generator) -> Shape:
    count, depth = int(rng.integers(4, 9)), rng.uniform(0.15, 0.35)
    angles = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    return Shape(_polar(1 - depth + depth * np.cos(count * angles), angles))


def _blob(rng: np.random.Generator) -> Shape:
    waves = rng.uniform(-1, 1, size=(4, 2)) / np.arange(2, 6)[:, None]
    angles = np.arange(2, 6)[:, None] * _ROUND
    radius = 1 + 0.4 * (waves[:, :1] * np.sin(angles) + waves[:, 1:] * np.cos(angles)).sum(axis=0)
    return Shape(_polar(radius, _ROUND))


def _bolt(rng: np.random.Generator) -> Shape:
    width = rng.uniform(0.5, 0.8)
    points = _corners((0.2, -1), (-0.9, 0.2), (-0.1, 0.2), (-0.4, 1), (0.9, -0.25), (0.1, -0.25))
    return Shape(points * (width if rng.random() < 0.5 else -width, 1))


def _house(rng: np.random.Generator) -> Shape:
    roof, door = rng.uniform(-0.35, 0.05), rng.uniform(0.15, 0.3)
    walls = _corners((-0.75, 0.9), (-0.75, roof), (-1, roof), (0, -1), (1, roof), (0.75, roof))
    hole = _corners((-door, 0.88), (-door, 0.3), (door, 0.3), (door, 0.88))
    return Shape(np.concatenate([walls, _corners((0.75, 0.9))]), (hole,))


def _bubble(rng: np.random.Generator) -> Shape:
    height, tail = rng.uniform(0.55, 0.75), rng.uniform(-0.5, 0.2)
    box = _rounded_box(1.0, height, rng.uniform(0.2, 0.5))
    # The tail is put between the two lower corners.
    point = _corners((tail + 0.3, height), (tail - 0.15, height + 0.45), (tail, height))
    return Shape(np.concatenate([box[:16], point, box[16:]]))


def _shield(rng: np.random.Generator) -> Shape:
    t = np.linspace(0, 1, 16)
    side = np.stack([1 - t ** rng.uniform(1.6, 2.6), 0.1 + 1.0 * t], axis=-1)
    left = (side * (-1, 1))[::-1]
    return Shape(np.concatenate([_corners((-1, -0.9), (1, -0.9)), side, left]))


SHAPES: Mapping[str, Outline] = {
    "arrow": _arrow,
    "blob": _blob,
    "chevron": _chevron,
    "circle": _circle,
    "crescent": _crescent,
    "cross": _cross,
    "diamond": _diamond,
    "drop": _drop,
    "flower": _flower,
    "frame": _frame,
    "gear": _gear,
    "half disc": _half_disc,
    "heart": _heart,
    "house": _house,
    "leaf": _leaf,
    "lightning bolt": _bolt,
    "oval": _oval,
    "polygon": _polygon,
    "rectangle": _rectangle,
    "ring": _ring,
    "shield": _shield,
    "slice of a disc": _slice,
    "speech bubble": _bubble,
    "square": _square,
    "star": _star,
    "trapezoid": _trapezoid,
    "triangle": _triangle,
}
"""Kinds of shapes, by name."""
