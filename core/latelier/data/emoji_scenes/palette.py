"""Sixteen named colours, distinct enough that a picture shows which of them it has."""

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Color(NamedTuple):
    """A named sRGB colour, channels in 0..255."""

    name: str
    red: int
    green: int
    blue: int

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The three channels without the name."""
        return self.red, self.green, self.blue


PALETTE = (
    Color("red", 214, 38, 42),
    Color("orange", 246, 138, 30),
    Color("yellow", 250, 220, 60),
    Color("lime", 158, 216, 52),
    Color("green", 38, 138, 62),
    Color("teal", 0, 128, 134),
    Color("sky blue", 128, 200, 242),
    Color("blue", 38, 92, 216),
    Color("navy", 22, 32, 92),
    Color("purple", 128, 52, 178),
    Color("pink", 250, 160, 196),
    Color("brown", 116, 70, 40),
    Color("beige", 232, 212, 172),
    Color("gray", 142, 142, 148),
    Color("white", 248, 248, 248),
    Color("black", 24, 24, 28),
)

COLORS = {color.name: color for color in PALETTE}

# sRGB to CIE XYZ (IEC 61966-2-1), each row divided by the D65 white point.
_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
) / np.array([[0.95047], [1.0], [1.08883]])


def srgb_to_lab(rgb: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return sRGB in 0..1, shape (..., 3), as CIE L*a*b* under D65 (L in 0..100)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _XYZ.T
    threshold = 6 / 29
    f = np.where(xyz > threshold**3, np.cbrt(xyz), xyz / (3 * threshold**2) + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def color_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the CIE76 distance of two Lab arrays of shape (..., 3); about 2 is just visible."""
    return np.sqrt(((first - second) ** 2).sum(axis=-1))


def lab_distance(first: Color, second: Color) -> float:
    """Return the CIE76 distance of two named colours."""
    labs = srgb_to_lab(np.array([first.rgb, second.rgb], dtype=np.float64) / 255)
    return float(color_distance(labs[0], labs[1]))


@functools.cache
def distinct_colors(color: Color, distance: float) -> tuple[Color, ...]:
    """Return the colours of the palette whose CIE76 distance from `color` is above `distance`."""
    return tuple(each for each in PALETTE if lab_distance(color, each) > distance)
