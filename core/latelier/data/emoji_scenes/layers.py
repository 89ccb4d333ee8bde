"""Layers of drawn objects, and how they are painted over a backdrop."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter


@dataclass(frozen=True, slots=True)
class Layer:
    """One drawn object.

    Attributes:
        pixels: (H, W, 4), premultiplied by alpha.
        covers: (H, W), where the object covers the image.
    """

    pixels: NDArray[np.uint8]
    covers: NDArray[np.bool_]


def paint_layers(
    backdrop: NDArray[np.floating], drawn: Sequence[Layer], shadow: bool
) -> NDArray[np.uint8]:
    """Return the backdrop with the objects painted over it, back to front."""
    image = backdrop.copy()
    for layer in reversed(drawn):
        light = 1 - layer.pixels[..., 3:] / np.float32(255)
        if shadow:
            light *= 1 - np.float32(0.4) * cast_shadow(layer.pixels[..., 3])
        image *= light
        image += layer.pixels[..., :3]
    image += np.float32(0.5)
    np.minimum(image, 255, out=image)
    return image.astype(np.uint8)


def cast_shadow(alpha: NDArray[np.uint8]) -> NDArray[np.floating]:
    """Return a soft shadow, 0..1 of shape (H, W, 1), a little below the object."""
    size = len(alpha)
    drop = max(1, round(0.03 * size))
    lowered = np.zeros_like(alpha)
    lowered[drop:] = alpha[:-drop]
    soft = Image.fromarray(lowered).filter(ImageFilter.BoxBlur(0.025 * size))
    return np.asarray(soft, dtype=np.float32)[..., None] / np.float32(255)
