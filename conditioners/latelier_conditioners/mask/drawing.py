"""Masks drawn at random, to train inpainting with.

Irregular strokes and boxes, after the manner of LaMa (Suvorov et al. 2022, arXiv:2109.07161,
section 2.4), which the paper trained with; lengths are shares of the picture, so that masks look
alike at every size.
"""

import math

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageDraw

_ATTEMPTS = 32


def drawn_mask(
    size: tuple[int, int], share: tuple[float, float], rng: np.random.Generator
) -> PIL.Image.Image:
    """Return a mask of mode L, 255 where it is to be repainted.

    Args:
        size: (width, height).
        share: bounds of the repainted share of the area, above 0 and below 1.
        rng: what draws it.
    """
    low, high = share
    target = rng.uniform(low, high)
    shape = _stroke if rng.random() < 0.5 else _box
    mask = PIL.Image.new("L", size)
    for _ in range(_ATTEMPTS):
        grown = mask.copy()
        shape(grown, rng)
        covered = _covered(grown)
        if covered > high:
            continue
        mask = grown
        if covered >= target:
            return mask
    return mask if _covered(mask) >= low else _rows_of(size, target)


def _stroke(mask: PIL.Image.Image, rng: np.random.Generator) -> None:
    """Paint a broken line of one to eight round-ended pieces, each of its own direction."""
    side = min(mask.size)
    width = max(2, round(side * rng.uniform(0.04, 0.2)))
    draw = ImageDraw.Draw(mask)
    x, y = (rng.uniform(0, length) for length in mask.size)
    for _ in range(rng.integers(1, 9)):
        angle, length = rng.uniform(0, 2 * math.pi), side * rng.uniform(0.05, 0.4)
        end = x + length * math.cos(angle), y + length * math.sin(angle)
        draw.line([(x, y), end], fill=255, width=width)
        for cx, cy in ((x, y), end):
            r = width / 2
            draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=255)
        x, y = (min(max(at, 0), limit) for at, limit in zip(end, mask.size, strict=True))


def _box(mask: PIL.Image.Image, rng: np.random.Generator) -> None:
    """Paint a box whose sides are a tenth to six tenths of the picture's."""
    corners = [
        _interval(length, max(1, round(length * rng.uniform(0.1, 0.6))), rng)
        for length in mask.size
    ]
    (x0, x1), (y0, y1) = corners
    ImageDraw.Draw(mask).rectangle((x0, y0, x1 - 1, y1 - 1), fill=255)


def _interval(length: int, inside: int, rng: np.random.Generator) -> tuple[int, int]:
    start = int(rng.integers(0, length - inside + 1))
    return start, start + inside


def _rows_of(size: tuple[int, int], share: float) -> PIL.Image.Image:
    """Return a mask of the upper pixels, in reading order: the share is met to one pixel."""
    width, height = size
    pixels: NDArray[np.uint8] = np.zeros(width * height, dtype=np.uint8)
    pixels[: max(1, round(share * len(pixels)))] = 255
    return PIL.Image.fromarray(pixels.reshape(height, width))


def _covered(mask: PIL.Image.Image) -> float:
    return mask.histogram()[255] / (mask.width * mask.height)
