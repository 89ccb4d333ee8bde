"""What is hidden of a scene for inpainting, and what is left of it for super-resolution."""

import numpy as np
from PIL import Image

from latelier.data.emoji_scenes import Scene

_MARGIN = 0.05
"""Share of the picture by which a hole is wider than its object on each side."""


def to_picture(scene: Scene) -> Image.Image:
    """Return the picture of a scene, RGB."""
    return Image.fromarray(scene.image)


def hide_object(scene: Scene, index: int = 0) -> Image.Image:
    """Return the mask, mode L, that hides the box of an object: white is repainted."""
    height, width = scene.instance_map.shape
    x0, y0, x1, y1 = scene.objects[index].box
    hole = np.zeros((height, width), dtype=np.uint8)
    rows, columns = (
        slice(max(0, round((low - _MARGIN) * side)), round((high + _MARGIN) * side))
        for low, high, side in ((y0, y1, height), (x0, x1, width))
    )
    hole[rows, columns] = 255
    return Image.fromarray(hole)


def reduce(scene: Scene, factor: int = 4) -> Image.Image:
    """Return the picture of a scene at 1/`factor` of its sides, by bicubic resampling."""
    picture = to_picture(scene)
    size = picture.width // factor, picture.height // factor
    return picture.resize(size, Image.Resampling.BICUBIC)


def enlarge(scene: Scene, factor: int = 4) -> Image.Image:
    """Return the reduced picture at full size again, by bicubic resampling."""
    height, width = scene.instance_map.shape
    return reduce(scene, factor).resize((width, height), Image.Resampling.BICUBIC)
