"""Random masks for the training and the evaluation of inpainting.

Irregular strokes and boxes as in LaMa (Suvorov et al. 2022, arXiv:2109.07161, section 2.4), with
which the paper was trained. Lengths are relative to the picture, so that masks look alike at every
size.
"""

import math
from typing import Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageDraw

Shapes = Literal["mixed", "strokes", "boxes"]
"""What a mask is made of; "mixed": strokes or boxes, with equal probability."""

_ATTEMPTS = 32


def random_mask(
    size: tuple[int, int],
    share: tuple[float, float],
    rng: np.random.Generator,
    shapes: Shapes = "mixed",
) -> PIL.Image.Image:
    """Return a mask of mode L: 255 is repainted, 0 is kept.

    Args:
        size: (width, height).
        share: range of the repainted area, within (0, 1); 1 is the whole picture.
        rng: source of random numbers.
        shapes: what the mask is made of.
    """
    low, high = share
    target = rng.uniform(low, high)
    if shapes == "mixed":
        shapes = "strokes" if rng.random() < 0.5 else "boxes"
    shape = _stroke if shapes == "strokes" else _box
    mask = PIL.Image.new("L", size)
    for _ in range(_ATTEMPTS):
        grown = mask.copy()
        shape(grown, rng)
        covered = _covered_share(grown)
        if covered > high:
            continue
        mask = grown
        if covered >= target:
            return mask
    return mask if _covered_share(mask) >= low else _upper_rows(size, target)


def _stroke(mask: PIL.Image.Image, rng: np.random.Generator) -> None:
    """Paint a polyline of one to eight segments with round ends and random directions."""
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
    """Paint a box whose sides are 0.1 to 0.6 of those of the picture."""
    corners = [
        _interval(length, max(1, round(length * rng.uniform(0.1, 0.6))), rng)
        for length in mask.size
    ]
    (x0, x1), (y0, y1) = corners
    ImageDraw.Draw(mask).rectangle((x0, y0, x1 - 1, y1 - 1), fill=255)


def _interval(length: int, inside: int, rng: np.random.Generator) -> tuple[int, int]:
    start = int(rng.integers(0, length - inside + 1))
    return start, start + inside


def _upper_rows(size: tuple[int, int], share: float) -> PIL.Image.Image:
    """Return a mask of the first pixels in reading order; its share is exact to one pixel."""
    width, height = size
    pixels: NDArray[np.uint8] = np.zeros(width * height, dtype=np.uint8)
    pixels[: max(1, round(share * len(pixels)))] = 255
    return PIL.Image.fromarray(pixels.reshape(height, width))


def _covered_share(mask: PIL.Image.Image) -> float:
    return mask.histogram()[255] / (mask.width * mask.height)
