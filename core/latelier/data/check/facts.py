"""Facts about one picture of a data set, from a complete decoding."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
from PIL.Image import Image, Resampling

from latelier.contracts.images.modes import to_rgb
from latelier.contracts.images.reading import explain_unreadable, turn_upright
from latelier.data.manifest.record import MapFile, Record
from latelier.data.pictures import (
    UnusableError,
    check_aspect,
    decode_map,
    decode_mask,
    read_bytes,
    upright_size,
)

THUMBNAIL = 160
"""Longest side of a thumbnail in pixels."""

_DEEP = ("I", "F")
_DEEP_PREFIX = "I;16"
_COLORS = 4
"""Side of the smallest version of a picture, whose colours are compared."""


@dataclass(frozen=True)
class PictureFacts:
    """What is known about a picture.

    Attributes:
        name: In the data set.
        size: Width and height, upright.
        traits: How it differs from an upright RGB picture of 8 bits, such as "cmyk".
        sha256: Of its bytes.
        gradient: 64 bits: whether each of 8 x 8 places is brighter than the one to its left.
        colors: Mean colours of 4 x 4 places, 48 numbers in 0..255.
        thumbnail: A small version, RGB; None where it is not shown.
        map_labels: Least and greatest label of its semantic map, if it has one of labels.
    """

    name: str
    size: tuple[int, int]
    traits: tuple[str, ...]
    sha256: str
    gradient: int
    colors: bytes
    thumbnail: Image | None
    map_labels: tuple[int, int] | None = None


def examine_picture(root: Path, record: Record) -> PictureFacts:
    """Return the facts about the picture of a record, with a thumbnail.

    Raises:
        UnusableError: training could not use it.
    """
    data = read_bytes(root, record)
    try:
        with PIL.Image.open(io.BytesIO(data)) as image:
            size, traits = upright_size(image), _traits(image)
            side = 2 * THUMBNAIL
            image.draft("RGB" if image.mode == "RGB" else None, (side, side))
            image.load()
            rgb = to_rgb(turn_upright(image))
    except MemoryError:
        raise
    except Exception as error:  # decoders of damaged files raise errors of every class
        raise UnusableError(explain_unreadable(error)) from None
    rgb.thumbnail((THUMBNAIL, THUMBNAIL))
    return PictureFacts(
        record.name,
        size,
        traits,
        hashlib.sha256(data).hexdigest(),
        hash_gradient(rgb),
        rgb.resize((_COLORS, _COLORS), Resampling.BOX).tobytes(),
        rgb,
        _examine_maps(root, record, size),
    )


def hash_gradient(image: Image) -> int:
    """Return 64 bits that stay nearly the same if a picture is resized or compressed again."""
    grey = np.asarray(image.convert("L").resize((9, 8), Resampling.BOX), dtype=np.int16)
    bits = (grey[:, 1:] > grey[:, :-1]).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _traits(image: Image) -> tuple[str, ...]:
    is_deep = image.mode in _DEEP or image.mode.startswith(_DEEP_PREFIX)
    found = {
        "turned by EXIF": _is_turned(image),
        "animated": getattr(image, "n_frames", 1) > 1,
        "16 bits": is_deep,
        "CMYK": image.mode in ("CMYK", "YCCK"),
        "grey": image.mode in ("L", "LA", "1"),
        "transparent": image.has_transparency_data,
    }
    return tuple(name for name, is_so in found.items() if is_so)


def _is_turned(image: Image) -> bool:
    try:
        return image.getexif().get(0x0112, 1) not in (0, 1)
    except Exception:  # damaged EXIF data have no orientation
        return False


def _examine_maps(root: Path, record: Record, size: tuple[int, int]) -> tuple[int, int] | None:
    """Read a record's map and mask, and return the least and the greatest label of the map.

    Raises:
        UnusableError: one of them cannot be read, or has another aspect ratio than the picture.
    """
    mask, place = record.mask, record.semantic_map
    if mask is not None:
        _open(mask.name, "mask", lambda: decode_mask(read_bytes(root, mask)), size)
    if place is None:
        return None
    labels = np.asarray(_open(place.name, "semantic map", lambda: _read_map(root, place), size))
    return (int(labels.min()), int(labels.max())) if labels.ndim == 2 else None


def _read_map(root: Path, place: MapFile) -> Image:
    return decode_map(read_bytes(root, place), place.segments)


def _open(name: str, what: str, read: Callable[[], Image], size: tuple[int, int]) -> Image:
    try:
        image = read()
    except UnusableError as error:
        raise UnusableError(f"its {what} '{name}': {error}") from None
    check_aspect(image.size, size, what)
    return image
