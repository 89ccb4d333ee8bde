"""Reading the pictures of a data set: upright, and no larger than they are used."""

import io
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL.Image import Image

from latelier.contracts.images.modes import to_mask, to_rgb, to_semantic_map
from latelier.contracts.images.reading import explain_unreadable, turn_upright
from latelier.data.manifest.record import FileRange

_ORIENTATION = 0x0112
"""The EXIF tag of how the camera was held."""

_ON_ITS_SIDE = (5, 6, 7, 8)
"""Orientations that exchange width and height."""


_ASPECT_TOLERANCE = 0.02
"""Largest relative difference of the aspect ratios of a picture and its map or mask."""


class UnusableError(Exception):
    """A picture, map or mask that cannot be used; its text says why."""


def decode_rgb(data: bytes, least: tuple[int, int] | None = None) -> Image:
    """Return a picture as RGB, upright; of an animation the first one.

    Args:
        data: of its file.
        least: width and height that suffice: a JPEG is decoded at the smallest of its scales
            (1/8, 1/4, 1/2, 1) that has at least twice as many pixels along both sides.

    Raises:
        UnusableError: the picture is damaged, or its mode has no known range.
    """
    return _decode(data, to_rgb, least)


def decode_mask(data: bytes) -> Image:
    """Return a mask, mode L: white is repainted.

    Raises:
        UnusableError: the mask is damaged.
    """
    return _decode(data, to_mask)


def decode_map(data: bytes, segments: dict[int, int] | None) -> Image:
    """Return a semantic map: a picture of label ids (mode L, I;16 or P) or of colours (RGB).

    Args:
        data: of its file.
        segments: labels of a panoptic map's segments; see `MapFile`.

    Raises:
        UnusableError: the map is damaged, or has no labels.
    """
    if segments is None:
        return _decode(data, to_semantic_map)
    colors = np.asarray(_decode(data, to_rgb))
    return PIL.Image.fromarray(label_segments(colors, segments))


def label_segments(colors: NDArray[np.uint8], segments: dict[int, int]) -> NDArray[np.uint16]:
    """Return the labels (H, W) of a panoptic map (H, W, 3); segments without one have label 0."""
    red, green, blue = (colors[..., channel].astype(np.int64) for channel in range(3))
    ids, inverse = np.unique(red + 256 * green + 65536 * blue, return_inverse=True)
    labels = np.array([segments.get(int(each), 0) for each in ids], dtype=np.uint16)
    return labels[inverse].reshape(colors.shape[:2])


def check_aspect(labels: tuple[int, int], picture: tuple[int, int], what: str) -> None:
    """Check that a map or mask has the aspect ratio of its picture; both are width, height.

    Raises:
        UnusableError: they differ by more than a fiftieth.
    """
    if abs(labels[0] * picture[1] / (labels[1] * picture[0]) - 1) > _ASPECT_TOLERANCE:
        raise UnusableError(
            f"its {what} is {labels[0]} x {labels[1]} and the picture {picture[0]} x {picture[1]}: "
            "they differ in their aspect ratio"
        )


def read_bytes(root: Path, place: FileRange) -> bytes:
    """Return the bytes of a file, or of a range of a shard.

    Raises:
        UnusableError: the file is missing, no regular file, or too short.
    """
    path = root / place.path
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block
            raise UnusableError("it is no regular file")
        with path.open("rb") as file:
            if place.file is not None:
                return file.read()
            file.seek(place.offset)
            data = file.read(place.length)
    except (OSError, ValueError) as error:
        raise UnusableError(getattr(error, "strerror", None) or str(error)) from None
    if len(data) < place.length:
        raise UnusableError(f"the shard ends {place.length - len(data)} bytes too early")
    return data


def _decode(
    data: bytes, convert: Callable[[Image], Image], least: tuple[int, int] | None = None
) -> Image:
    try:
        with PIL.Image.open(io.BytesIO(data)) as image:
            if least is not None:
                side = 2 * max(least)  # the picture may lie on its side
                image.draft("RGB" if image.mode == "RGB" else None, (side, side))
            image.load()
            return convert(turn_upright(image))
    except MemoryError:
        raise
    except Exception as error:  # decoders of damaged files raise errors of every class
        raise UnusableError(explain_unreadable(error)) from None


def read_size(root: Path, place: FileRange) -> tuple[int, int]:
    """Return the width and height of a picture once it is upright, from its header.

    Raises:
        UnusableError: the picture is missing or no known picture.
    """
    return measure_size(root / place.path if place.file else io.BytesIO(read_bytes(root, place)))


def measure_size(file: Path | io.BytesIO) -> tuple[int, int]:
    """Return the width and height of a picture in a file; see `read_size`.

    Raises:
        UnusableError: it is no known picture.
    """
    try:
        with PIL.Image.open(file) as image:
            return upright_size(image)
    except MemoryError:
        raise
    except Exception as error:
        raise UnusableError(explain_unreadable(error)) from None


def upright_size(image: Image) -> tuple[int, int]:
    """Return the size of a picture once it is turned as its EXIF orientation says."""
    try:
        on_its_side = image.getexif().get(_ORIENTATION, 1) in _ON_ITS_SIDE
    except MemoryError:
        raise
    except Exception:  # damaged EXIF data have no orientation
        on_its_side = False
    width, height = image.size
    return (height, width) if on_its_side else (width, height)
