"""Artworks: drawings on tiles, those of the atlas and others, and how they are placed in images."""

import functools
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latelier.contracts.images.cutout import Cutout, Pose
from latelier.data.emoji_scenes.glyphs import ASSETS
from latelier.data.emoji_scenes.palette import color_distance, srgb_to_lab

TILE = 128
"""Side of an atlas tile in pixels."""

_COLUMNS = 32

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

    @property
    def pose(self) -> Pose:
        """How the artwork lies."""
        return Pose(self.angle, self.mirrored)


@dataclass(frozen=True, eq=False)
class Artwork:
    """A drawing that can be placed in images.

    Attributes:
        cutout: the drawing, a tile of `TILE` x `TILE` pixels.
    """

    cutout: Cutout

    @property
    def tile(self) -> Image.Image:
        """The drawing, `TILE` x `TILE` pixels of mode "RGBa"."""
        return self.cutout.picture

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The box of its visible part (alpha above 1/8) in tile pixels, xyxy."""
        return self.cutout.box

    def picture(self) -> Pixels:
        """Return the drawing alone and upright, (`TILE`, `TILE`, 4) with straight alpha."""
        return np.asarray(self.tile.convert("RGBA"))

    def half_extent(self, angle: float) -> tuple[float, float]:
        """Return half the width and half the height of the turned artwork at scale 1."""
        left, top, right, bottom = self.box
        return half_extent((right - left, bottom - top), angle)

    def draw(self, placement: Placement, size: int) -> Pixels:
        """Return an image (size, size, 4) with the artwork, premultiplied by alpha."""
        center, scale = (placement.x * size, placement.y * size), self._scale(placement) * size
        return np.asarray(self.cutout.draw(center, scale, placement.pose, (size, size)))

    def placed_box(self, placement: Placement) -> tuple[float, float, float, float]:
        """Return the exact box of its visible part in an image, x0, y0, x1, y1 in 0..1.

        `Cutout.draw_in` with this box draws what `draw` does, unless the image cuts it off.
        """
        scale = self._scale(placement)
        centers = (placement.x, placement.y) * 2
        ends = (
            center + scale * end
            for center, end in zip(centers, self.cutout.extent(placement.pose), strict=True)
        )
        x0, y0, x1, y1 = (min(max(end, 0.0), 1.0) for end in ends)
        return x0, y0, x1, y1

    def fit(self, placement: Placement) -> Placement:
        """Return the placement, made smaller and moved as little as it takes to be in the image."""
        left, top, right, bottom = self.cutout.extent(placement.pose)
        scale = self._scale(placement)
        fitting = min(scale, 1 / (right - left), 1 / (bottom - top))
        return replace(
            placement,
            x=min(max(placement.x, -left * fitting), 1 - right * fitting),
            y=min(max(placement.y, -top * fitting), 1 - bottom * fitting),
            scale=placement.scale * (fitting / scale),
        )

    def _scale(self, placement: Placement) -> float:
        """Return the side of a pixel of the tile, 1 for the side of the image."""
        left, top, right, bottom = self.box
        return placement.scale / max(right - left, bottom - top)

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
    return Artwork(Cutout(tile if tile.mode == "RGBa" else tile.convert("RGBa")))


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
