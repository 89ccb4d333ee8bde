"""Views of pictures: crop, resize and flip, the same for a picture and all that is drawn on it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from latelier.data.manifest.record import LabelledBox
from latelier.training.configs.data import DataConfig

RESAMPLING = {each.name.lower(): each for each in Image.Resampling}
"""Filters by name."""

MIN_VISIBLE = 0.1
"""Least share of a box that must lie inside of the crop, or the object is left out."""

Size = tuple[int, int]
"""Width and height in pixels."""

CropBox = tuple[float, float, float, float]


@dataclass(frozen=True)
class View:
    """How a picture is shown.

    Attributes:
        size: Width and height of the result in pixels.
        crop: x0, y0, x1, y1 of the part that is shown, in 0..1 of the upright picture.
        is_flipped: Whether it is mirrored after that.
    """

    size: tuple[int, int]
    crop: CropBox
    is_flipped: bool


def choose_view(
    picture: tuple[int, int],
    size: tuple[int, int],
    config: DataConfig,
    generator: np.random.Generator,
) -> View:
    """Return the view of a picture of any size: the largest crop of the aspect ratio of `size`.

    Args:
        picture: width and height of the upright picture.
        size: width and height of the result.
        config: says whether crops and flips are random.
        generator: of their random numbers; always three are drawn, and one for a flip.
    """
    scale, x, y = 1.0, 0.5, 0.5
    if config.crop == "random":
        low, high = config.crop_scale
        scale, x, y = generator.random(3)
        scale = low + (high - low) * scale
    flipped = bool(generator.random() < 0.5) if config.flip else False
    factor = min(picture[0] / size[0], picture[1] / size[1]) * scale
    width, height = size[0] * factor / picture[0], size[1] * factor / picture[1]
    left, top = x * (1 - width), y * (1 - height)
    return View(size, (left, top, left + width, top + height), flipped)


def least_size(size: tuple[int, int], config: DataConfig) -> tuple[int, int]:
    """Return the width and height of a picture from which every view loses no detail."""
    smallest = config.crop_scale[0]
    return round(size[0] / smallest), round(size[1] / smallest)


def show(image: Image.Image, view: View, resampling: Image.Resampling) -> Image.Image:
    """Return a view of a picture, a map or a mask."""
    x0, y0, x1, y1 = view.crop
    box = (x0 * image.width, y0 * image.height, x1 * image.width, y1 * image.height)
    box = (box[0], box[1], min(box[2], image.width), min(box[3], image.height))
    if box == (0, 0, *image.size) and image.size == view.size:
        shown = image
    else:
        shown = image.resize(view.size, resampling, box)
    return shown.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if view.is_flipped else shown


def show_boxes(boxes: Iterable[LabelledBox], view: View) -> list[dict[str, Any]]:
    """Return the objects of a view: each with "box" in 0..1 of the view, and "label".

    Boxes are cut at the border. Objects of which less than a tenth remains are left out.
    """
    x0, y0, x1, y1 = view.crop
    objects = []
    for each in boxes:
        box = each.box
        left, right = (_clip((side - x0) / (x1 - x0)) for side in (box.x0, box.x1))
        top, bottom = (_clip((side - y0) / (y1 - y0)) for side in (box.y0, box.y1))
        visible = (right - left) * (x1 - x0) * (bottom - top) * (y1 - y0)
        if visible < MIN_VISIBLE * (box.x1 - box.x0) * (box.y1 - box.y0) or not visible:
            continue
        if view.is_flipped:
            left, right = 1 - right, 1 - left
        objects.append({"box": (left, top, right, bottom), "label": each.label})
    return objects


def _clip(side: float) -> float:
    return min(max(side, 0.0), 1.0)
