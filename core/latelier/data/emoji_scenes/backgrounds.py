"""Backgrounds: plain colours, gradients, patterns and places."""

import functools
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from latelier.data.emoji_scenes.palette import COLORS, PALETTE, distinct_colors
from latelier.data.emoji_scenes.places import PLACES, draw_place, pixel_centers

BackgroundKind = Literal["plain", "gradient", "stripes", "dots", "checks", "place"]
BACKGROUND_KINDS: tuple[BackgroundKind, ...] = get_args(BackgroundKind)

_GRADIENT_STYLES = ("vertical", "horizontal", "radial")

# Ordered pairs of colours that a viewer tells apart at a glance.
_COLOR_PAIRS = tuple(
    (first.name, second.name) for first in PALETTE for second in distinct_colors(first, 45)
)

Canvas: TypeAlias = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class BackgroundInfo:
    """A background in the words of captions.

    Attributes:
        kind: of the background.
        colors: names in the palette, the dominant one first; empty for a place.
        style: direction of a gradient ("vertical", "horizontal", "radial"), name of a place, or
            empty.
    """

    kind: BackgroundKind
    colors: tuple[str, ...] = ()
    style: str = ""

    @property
    def tones(self) -> tuple[tuple[int, int, int], ...]:
        """The sRGB colours, 0..255, that objects must stand out from."""
        if self.kind == "place":
            return PLACES[self.style].tones
        return tuple(COLORS[name].rgb for name in self.colors)


@dataclass(frozen=True, slots=True)
class Backdrop:
    """A drawn background: `image` (H, W, 3) in 0..255 and `semantics` (H, W) class ids."""

    image: Canvas
    semantics: NDArray[np.uint8]


def sample_background(kind: BackgroundKind, rng: np.random.Generator) -> BackgroundInfo:
    """Return a background of this kind with random colours and style."""
    if kind == "place":
        return BackgroundInfo(kind, style=list(PLACES)[rng.integers(len(PLACES))])
    pair = _COLOR_PAIRS[rng.integers(len(_COLOR_PAIRS))]
    if kind == "plain":
        return BackgroundInfo(kind, pair[:1])
    if kind == "gradient":
        colors = pair[: 1 + int(rng.random() < 0.6)]
        return BackgroundInfo(kind, colors, _GRADIENT_STYLES[rng.integers(3)])
    return BackgroundInfo(kind, pair)


def draw_background(info: BackgroundInfo, size: int, rng: np.random.Generator) -> Backdrop:
    """Return a background of `size` x `size` pixels with random phases, angles and details."""
    if info.kind == "place":
        image, semantics = draw_place(info.style, size, rng)
        return Backdrop(image, semantics)
    colors = [np.array(COLORS[name].rgb, dtype=np.float32) for name in info.colors]
    if info.kind == "plain":
        image = np.broadcast_to(colors[0], (size, size, 3))
    else:
        second = colors[1] if len(colors) > 1 else _shade(colors[0])
        share = _share_of_second(info, size, rng)[..., None]
        image = colors[0] + (second - colors[0]) * share
    return Backdrop(image, np.zeros((size, size), dtype=np.uint8))


def _shade(color: Canvas) -> Canvas:
    """Return the second colour of a one-colour gradient: lighter, or darker if it is light."""
    toward = 255.0 if color.mean() < 150 else 0.0
    return color + np.float32(0.35) * (np.float32(toward) - color)


@functools.cache
def _grid(size: int) -> tuple[Canvas, Canvas]:
    """Return the x and y of the pixel centres as fractions of the image, each (size, size)."""
    axis = pixel_centers(size)
    return np.tile(axis, (size, 1)), np.tile(axis[:, None], (1, size))


def _share_of_second(info: BackgroundInfo, size: int, rng: np.random.Generator) -> Canvas:
    """Return the share of the second colour in each pixel, 0..1, shape (size, size)."""
    x, y = _grid(size)
    if info.kind == "gradient":
        return _gradient(info.style, x, y)
    phase_x, phase_y = rng.random(2, dtype=np.float32)
    if info.kind == "stripes":
        along = (y, x, (x + y) / np.sqrt(np.float32(2)))[rng.integers(3)]
        period = np.float32(rng.uniform(0.16, 0.3))
        distance = period * (_wave(along / period + phase_x) - 0.32)
    elif info.kind == "dots":
        period = np.float32(rng.uniform(0.18, 0.3))
        u, v = x / period + phase_x, y / period + phase_y
        # Odd rows are shifted by half a period.
        u = u + 0.5 * (np.floor(v) % 2)
        distance = period * (np.hypot(u % 1 - 0.5, v % 1 - 0.5) - 0.29)
    else:
        period = np.float32(rng.uniform(0.3, 0.5))
        u, v = x / period + phase_x, y / period + phase_y
        # Squares of 0.42 of the period, in the places of a chess board's dark squares.
        square = np.maximum(_wave(u), _wave(v)) - 0.42
        shifted = np.maximum(_wave(u + 0.5), _wave(v + 0.5)) - 0.42
        distance = period * np.minimum(square, shifted) / 2
    return _unit(0.5 - distance * size)


def _wave(t: Canvas) -> Canvas:
    """Return the triangle wave of period 1 that rises from 0 at whole numbers to 1 between."""
    return np.abs(2 * (t - np.floor(t + 0.5)))


def _unit(t: Canvas) -> Canvas:
    """Return values clipped to 0..1."""
    return np.asarray(np.clip(t, 0, 1), dtype=np.float32)


def _gradient(style: str, x: Canvas, y: Canvas) -> Canvas:
    if style == "vertical":
        return y
    if style == "horizontal":
        return x
    return _unit(np.hypot(x - 0.5, y - 0.5) / np.float32(0.66))
