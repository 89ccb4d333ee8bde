"""The fields of a sample from the record of its picture, wherever its files are."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image, Resampling

from latelier.contracts.images.pixels import pil_to_tensor
from latelier.data.manifest.record import FileRange, Record
from latelier.data.pictures import check_aspect, decode_map, decode_mask, decode_rgb
from latelier.training.configs.data import CaptionConfig, DataConfig
from latelier.training.data.captions import choose_prompt
from latelier.training.data.views import (
    RESAMPLING,
    Size,
    View,
    choose_view,
    least_size,
    show,
    show_boxes,
)

ReadFile = Callable[[FileRange], bytes]
"""Returns the bytes of a picture, map or mask, or raises `UnusableError`."""

_DEFAULT_SIDE = 256


def describe_record(
    record: Record,
    class_name: str | None,
    captions: CaptionConfig,
    generator: np.random.Generator,
) -> dict[str, Any]:
    """Return "prompt", "class_label", "weight" and the record's own fields.

    Args:
        record: of the picture.
        class_name: of the record's class, if it has a name.
        captions: says how prompts are made.
        generator: chooses among several captions.
    """
    fields: dict[str, Any] = {**record.fields, "weight": record.weight}
    prompt = choose_prompt(weighted_captions(record), class_name, captions, generator)
    if prompt is not None:
        fields["prompt"] = prompt
    if record.class_label is not None:
        fields["class_label"] = record.class_label
    return fields


def show_record(
    record: Record,
    read: ReadFile,
    size: Size | None,
    config: DataConfig,
    generator: np.random.Generator,
) -> dict[str, Any]:
    """Return "image" and, where the record has them, "layout", "semantic_map" and "mask".

    Args:
        record: of the picture.
        read: returns the bytes of its files.
        size: width and height; None: those of the configuration.
        config: of the data.
        generator: of the crop and the flip.

    Raises:
        UnusableError: a file is missing or damaged.
    """
    size = size or picture_size(config)
    image = decode_rgb(read(record), least_size(size, config))
    view = choose_view(image.size, size, config, generator)
    return show_view(record, read, image, view, RESAMPLING[config.resize])


def show_view(
    record: Record, read: ReadFile, image: Image, view: View, resampling: Resampling
) -> dict[str, Any]:
    """Return the fields of `show_record` for one view of the decoded picture of a record.

    Raises:
        UnusableError: a map or mask is missing or damaged.
    """
    fields: dict[str, Any] = {"image": pil_to_tensor(show(image, view, resampling))}
    if record.boxes is not None:
        fields["layout"] = show_boxes(record.boxes, view)
    if record.semantic_map is not None:
        labels = decode_map(read(record.semantic_map), record.semantic_map.segments)
        fields["semantic_map"] = _show_labels(labels, image, view, "semantic map")
    if record.mask is not None:
        fields["mask"] = _show_labels(decode_mask(read(record.mask)), image, view, "mask")
    return fields


def weighted_captions(record: Record) -> list[tuple[str, float]]:
    """Return the captions of a record with their weights."""
    return [(each.text, each.weight) for each in record.captions]


def picture_size(config: DataConfig) -> Size:
    """Return the width and height of the pictures without buckets."""
    size = config.size or _DEFAULT_SIDE
    return (size, size) if isinstance(size, int) else size


def _show_labels(labels: Image, image: Image, view: View, what: str) -> NDArray[np.uint8]:
    """Return the view of a map or mask as an array.

    Raises:
        UnusableError: it has another aspect ratio than the picture.
    """
    check_aspect(labels.size, image.size, what)
    return np.array(show(labels, view, Resampling.NEAREST))
