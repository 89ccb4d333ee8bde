"""Draws glyphs: the atlas of tiles, mip-maps of a tile, and its placement in an image."""

import functools
import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latelier.data.emoji_scenes.glyphs import ASSETS
from latelier.data.emoji_scenes.palette import color_distance, srgb_to_lab

TILE = 128
"""Side of an atlas tile in pixels."""

_COLUMNS = 32
# Resampling may shrink a tile by at most 4/3, so that its fine lines do not alias.
_LEVELS = (128, 96, 72, 54, 40, 30, 22, 16)
# A transparent rim keeps the bicubic kernel from cutting artwork off at the tile's edge.
_RIM = 3

Pixels: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Placement:
    """Position and orientation of a glyph in an image.

    Attributes:
        x: centre of its artwork, 0 (left) to 1.
        y: centre of its artwork, 0 (top) to 1.
        scale: longest side of its artwork, 1 for the side of the image.
        angle: degrees, counter-clockwise.
        mirrored: whether it is mirrored left to right.
    """

    x: float
    y: float
    scale: float
    angle: float = 0.0
    mirrored: bool = False


@functools.cache
def _atlas() -> Image.Image:
    """Return the atlas with premultiplied alpha, as resampling needs it."""
    with Image.open(ASSETS / "atlas.webp") as image:
        return image.convert("RGBA").convert("RGBa")


def _tile(index: int) -> Image.Image:
    left, top = index % _COLUMNS * TILE, index // _COLUMNS * TILE
    return _atlas().crop((left, top, left + TILE, top + TILE))


@functools.cache
def _artwork_box(index: int) -> tuple[int, int, int, int]:
    """Return the box of the tile's artwork (alpha above 1/8) in tile pixels, xyxy."""
    alpha = _tile(index).getchannel("a").point([0] * 33 + [255] * 223)
    box = alpha.getbbox()
    if box is None:
        raise ValueError(f"glyph {index} of the atlas has no visible pixels")
    return box


@functools.cache
def _level(index: int, side: int) -> Image.Image:
    """Return the tile scaled to `side` pixels, inside a transparent rim."""
    scaled = _tile(index)
    if side != TILE:
        scaled = scaled.resize((side, side), Image.Resampling.HAMMING)
    rimmed = Image.new("RGBa", (side + 2 * _RIM, side + 2 * _RIM))
    rimmed.paste(scaled, (_RIM, _RIM))
    return rimmed


def extent(index: int, angle: float) -> tuple[float, float]:
    """Return half the width and half the height of the rotated artwork at scale 1."""
    left, top, right, bottom = _artwork_box(index)
    longest = 2 * max(right - left, bottom - top)
    width, height = (right - left) / longest, (bottom - top) / longest
    cosine, sine = abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle)))
    return width * cosine + height * sine, width * sine + height * cosine


def draw_glyph(index: int, placement: Placement, size: int) -> Pixels:
    """Return an image (size, size, 4) with a glyph, premultiplied by alpha."""
    left, top, right, bottom = _artwork_box(index)
    longest = max(right - left, bottom - top)
    side = placement.scale * size * TILE / longest
    level = next((s for s in reversed(_LEVELS) if s >= side * 0.999), TILE)
    image = _level(index, level)
    # Pillow takes the map from image pixels to source pixels.
    step = level / side
    cosine = step * math.cos(math.radians(placement.angle))
    sine = step * math.sin(math.radians(placement.angle))
    flip = -1.0 if placement.mirrored else 1.0
    a, b, d, e = flip * cosine, flip * -sine, sine, cosine
    source_x = (left + right) / 2 * level / TILE + _RIM
    source_y = (top + bottom) / 2 * level / TILE + _RIM
    x, y = placement.x * size, placement.y * size
    matrix = (a, b, source_x - a * x - b * y, d, e, source_y - d * x - e * y)
    bicubic = Image.Resampling.BICUBIC
    return np.asarray(
        image.transform((size, size), Image.Transform.AFFINE, matrix, resample=bicubic)
    )


@functools.cache
def _colors(index: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the Lab colours of the artwork and of its outline alone, each (N, 3)."""
    pixels = np.asarray(_tile(index).resize((32, 32), Image.Resampling.BOX)).astype(np.float64)
    # Thin artwork may have no solid pixel at this size.
    solid = np.pad(pixels[..., 3] >= min(128, pixels[..., 3].max()), 1)
    core = solid[:-2, 1:-1] & solid[2:, 1:-1] & solid[1:-1, :-2] & solid[1:-1, 2:]
    body = solid[1:-1, 1:-1]
    rgb = np.where(body[..., None], pixels[..., :3] / np.maximum(pixels[..., 3:], 1), 0)
    lab = srgb_to_lab(rgb)
    return lab[body], lab[body & ~core]


@functools.cache
def hidden_share(index: int, rgb: tuple[int, int, int]) -> float:
    """Return the share, 0..1, of a glyph or of its outline that is hard to see on colour `rgb`."""
    ground = srgb_to_lab(np.array(rgb, dtype=np.float64) / 255)
    return max(float((color_distance(lab, ground) < 27).mean()) for lab in _colors(index))
