"""Artworks: drawings on tiles, those of the atlas and others, and how they are placed in images."""

import functools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latelier.contracts.images.references import visible_box
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
    """Position and orientation of an artwork in an image.

    Attributes:
        x: centre of its visible part, 0 (left) to 1.
        y: centre of its visible part, 0 (top) to 1.
        scale: longest side of its visible part, 1 for the side of the image.
        angle: degrees, counter-clockwise.
        mirrored: whether it is mirrored left to right.
    """

    x: float
    y: float
    scale: float
    angle: float = 0.0
    mirrored: bool = False


@dataclass(frozen=True, eq=False)
class Artwork:
    """A drawing that can be placed in images.

    Attributes:
        rimmed: the tile inside a transparent rim, mode "RGBa", so premultiplied by alpha.
    """

    rimmed: Image.Image

    @property
    def tile(self) -> Image.Image:
        """The drawing, `TILE` x `TILE` pixels of mode "RGBa"."""
        return self.rimmed.crop((_RIM, _RIM, _RIM + TILE, _RIM + TILE))

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """The box of its visible part (alpha above 1/8) in tile pixels, xyxy."""
        box = visible_box(self.tile)
        if box is None:
            raise ValueError("the artwork has no visible pixels")
        return box

    def picture(self) -> Pixels:
        """Return the drawing alone and upright, (`TILE`, `TILE`, 4) with straight alpha."""
        return np.asarray(self.tile.convert("RGBA"))

    def extent(self, angle: float) -> tuple[float, float]:
        """Return half the width and half the height of the turned artwork at scale 1."""
        left, top, right, bottom = self.box
        return half_extent((right - left, bottom - top), angle)

    def draw(self, placement: Placement, size: int) -> Pixels:
        """Return an image (size, size, 4) with the artwork, premultiplied by alpha."""
        left, top, right, bottom = self.box
        longest = max(right - left, bottom - top)
        side = placement.scale * size * TILE / longest
        level = next((s for s in reversed(_LEVELS) if s >= side * 0.999), TILE)
        image = self._level(level)
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

    def hidden_share(self, rgb: tuple[int, int, int]) -> float:
        """Return the share, 0..1, of the artwork or of its outline that is hard to see on `rgb`."""
        if rgb not in self._hidden:
            ground = _ground(rgb)
            shares = (float((color_distance(lab, ground) < 27).mean()) for lab in self._colors)
            self._hidden[rgb] = max(shares)
        return self._hidden[rgb]

    def change(self, angle: float, mirrored: bool) -> float:
        """Return how much the upright artwork differs from itself turned and mirrored, 0..1."""
        first, second = (
            self.draw(Placement(0.5, 0.5, 0.7, *pose), 32).astype(np.float32)
            for pose in ((0.0, False), (angle, mirrored))
        )
        return float(np.abs(first - second).sum() / (first + second).sum())

    def _level(self, side: int) -> Image.Image:
        """Return the tile scaled to `side` pixels, inside a transparent rim."""
        if side == TILE:
            return self.rimmed
        if side not in self._levels:
            scaled = self.tile.resize((side, side), Image.Resampling.HAMMING)
            self._levels[side] = _add_rim(scaled)
        return self._levels[side]

    @cached_property
    def _levels(self) -> dict[int, Image.Image]:
        return {}

    @cached_property
    def _hidden(self) -> dict[tuple[int, int, int], float]:
        return {}

    @cached_property
    def _colors(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The Lab colours of the artwork and of its outline alone, each (N, 3)."""
        pixels = np.asarray(self.tile.resize((32, 32), Image.Resampling.BOX)).astype(np.float64)
        # Thin artwork may have no solid pixel at this size.
        solid = np.pad(pixels[..., 3] >= min(128, pixels[..., 3].max()), 1)
        core = solid[:-2, 1:-1] & solid[2:, 1:-1] & solid[1:-1, :-2] & solid[1:-1, 2:]
        body = solid[1:-1, 1:-1]
        rgb = np.where(body[..., None], pixels[..., :3] / np.maximum(pixels[..., 3:], 1), 0)
        lab = srgb_to_lab(rgb)
        return lab[body], lab[body & ~core]


def half_extent(size: tuple[int, int], angle: float) -> tuple[float, float]:
    """Return half the width and half the height of a turned box whose longest side becomes 1."""
    width, height = (length / (2 * max(size)) for length in size)
    cosine, sine = abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle)))
    return width * cosine + height * sine, width * sine + height * cosine


def make_artwork(tile: Image.Image) -> Artwork:
    """Return the artwork of a tile, an image of `TILE` x `TILE` pixels of mode "RGBA" or "RGBa"."""
    return Artwork(_add_rim(tile if tile.mode == "RGBa" else tile.convert("RGBa")))


@functools.cache
def glyph_artwork(index: int) -> Artwork:
    """Return the artwork of a glyph of the atlas."""
    left, top = index % _COLUMNS * TILE, index // _COLUMNS * TILE
    return make_artwork(_atlas().crop((left, top, left + TILE, top + TILE)))


@functools.cache
def _atlas() -> Image.Image:
    """Return the atlas with premultiplied alpha, as resampling needs it."""
    with Image.open(ASSETS / "atlas.webp") as image:
        return image.convert("RGBA").convert("RGBa")


@functools.cache
def _ground(rgb: tuple[int, int, int]) -> NDArray[np.float64]:
    """Return a colour of backgrounds in Lab."""
    return srgb_to_lab(np.array(rgb, dtype=np.float64) / 255)


def _add_rim(tile: Image.Image) -> Image.Image:
    side = tile.width + 2 * _RIM
    rimmed = Image.new("RGBa", (side, side))
    rimmed.paste(tile, (_RIM, _RIM))
    return rimmed
