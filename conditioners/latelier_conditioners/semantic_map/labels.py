"""Converts the image of a semantic map to labels."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from latelier.contracts.errors import InvalidInputError
from latelier_conditioners.semantic_map.inputs import SemanticMapConfig

Labels: TypeAlias = NDArray[np.int64]

_MAX_LISTED = 5


def labels_of(image: Image, config: SemanticMapConfig) -> Labels:
    """Return the labels (H, W) of a `SemanticMap`.

    Raises:
        InvalidInputError: the image has colours and the model has none, or the image has labels or
            colours that the model does not know. The text lists them with their pixel counts.
    """
    by_colour = image.mode == "RGB" or (image.mode == "P" and config.colors)
    if not by_colour:
        return _check_labels(np.asarray(image).astype(np.int64), config.num_classes)
    if not config.colors:
        raise InvalidInputError(
            "this model knows labels by their numbers, not by colours: give a grey or a palette "
            f"image whose values are 0 to {config.num_classes - 1}"
        )
    return _look_up_colors(np.asarray(image.convert("RGB")).astype(np.int64), config)


def resize_labels(labels: Labels, size: tuple[int, int]) -> Labels:
    """Return labels (H, W) resized to `size` (H, W) of the same aspect, by nearest neighbour.

    Raises:
        InvalidInputError: `size` has another aspect.
    """
    (height, width), (h, w) = size, labels.shape
    if (height, width) == (h, w):  # in training, always
        return labels
    if width * h != height * w:
        raise InvalidInputError(
            f"the semantic map is {w}x{h} and the picture {width}x{height}; give a map of that "
            "size or aspect, or leave the size out"
        )
    rows = (np.arange(height) * 2 + 1) * h // (2 * height)  # pixel centres
    columns = (np.arange(width) * 2 + 1) * w // (2 * width)
    return labels[rows[:, None], columns]


def _check_labels(labels: Labels, num_classes: int) -> Labels:
    unknown = labels[labels >= num_classes]
    if unknown.size:
        raise InvalidInputError(
            "the semantic map has labels that this model does not know: "
            f"{_list_most_frequent(unknown, str)}; its labels are 0 to {num_classes - 1}"
        )
    return labels


def _look_up_colors(pixels: NDArray[np.int64], config: SemanticMapConfig) -> Labels:
    """Return the labels of colours (H, W, 3)."""
    numbers = {int(color[1:], 16): label for label, color in enumerate(config.colors)}
    packed = pixels @ np.array([0x10000, 0x100, 1])
    colours, which = np.unique(packed, return_inverse=True)
    labels = np.array([numbers.get(int(colour), -1) for colour in colours], dtype=np.int64)
    found: Labels = labels[which].reshape(packed.shape)
    if (found < 0).any():
        unknown = _list_most_frequent(packed[found < 0], lambda colour: f"#{colour:06x}")
        raise InvalidInputError(
            f"the semantic map has colours that this model does not know: {unknown}; its first "
            f"are {', '.join(config.colors[:_MAX_LISTED])}"
        )
    return found


def _list_most_frequent(values: Labels, format_value: Callable[[int], str]) -> str:
    """Return the most frequent values as text, each with its number of pixels."""
    found, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    first = [
        f"{format_value(int(found[k]))} ({counts[k]} pixel{'s' if counts[k] > 1 else ''})"
        for k in order[:_MAX_LISTED]
    ]
    more = len(found) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")
