"""Pictures too large to be stored in the PNG whose making they are part of.

A PNG carries the pictures that were given to its run, so that it can be made again from itself
alone. Together they are held to `LIMIT`: readers refuse a PNG with much more text (Pillow: 64
MiB), and nobody expects a picture of a megabyte to weigh fifty. Beyond it the largest are stored
as their size and the SHA-256 of their pixels, by which the files are known again.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images.reading import open_picture
from latelier.io.user_folders import expand_home

LIMIT = 16 * 2**20
"""Most characters of a provenance in a file."""

_URI = "data:image/png;base64,"

_HASH = "picture_sha256"


def without_large_pictures(provenance: dict[str, Any], limit: int = LIMIT) -> dict[str, Any]:
    """Return a provenance of at most `limit` characters as JSON, if leaving pictures out can do it.

    The largest go first.
    """
    excess = len(json.dumps(provenance, ensure_ascii=False)) - limit
    if excess <= 0:
        return provenance
    stored = sorted({text for text in _strings(provenance) if text.startswith(_URI)}, key=len)
    count = list(_strings(provenance)).count
    left: set[str] = set()
    while excess > 0 and stored:
        largest = stored.pop()
        left.add(largest)
        excess -= len(largest) * count(largest)

    def reference(value: Any) -> Any:
        return _reference(value) if isinstance(value, str) and value in left else value

    found: dict[str, Any] = _mapped(provenance, reference)
    return found


def with_large_pictures(
    provenance: dict[str, Any], files: Sequence[Path], what: str
) -> dict[str, Any]:
    """Return a provenance with the pictures in place that had been left out.

    Args:
        provenance: as it was stored.
        files: of those pictures, in any order.
        what: the file that it was stored in, for errors.

    Raises:
        InvalidInputError: a file cannot be read, or none of them is the picture that is needed.
    """
    pictures = [_opened(file) for file in files]

    def original(value: Any) -> Any:
        if not (isinstance(value, dict) and _HASH in value):
            return value
        for picture in pictures:
            candidate = _as_recorded(picture, value)
            if candidate is not None and _sha256(candidate) == value[_HASH]:
                return candidate
        size = " x ".join(re.findall(r"\d+", str(value.get("size"))))
        given = f"none of the {len(files)} given is" if files else "give the file, with --picture:"
        raise InvalidInputError(
            f"{what}: was made from a picture that was too large to be stored in it; {given} that "
            f"of {size} pixels with the SHA-256 {str(value[_HASH])[:12]}..."
        )

    found: dict[str, Any] = _mapped(provenance, original)
    return found


def _reference(uri: str) -> dict[str, Any]:
    image = open_picture(uri)
    return {_HASH: _sha256(image), "mode": image.mode, "size": list(image.size)}


def _as_recorded(picture: Image.Image, recorded: dict[str, Any]) -> Image.Image | None:
    """Return a picture in the mode and size that were recorded; a run resizes what it starts from.

    None where there is no such picture.
    """
    try:
        converted = picture.convert(recorded["mode"])
        size = tuple(recorded["size"])
        if converted.size == size:
            return converted
        return converted.resize(size, Image.Resampling.LANCZOS)
    except (KeyError, TypeError, ValueError):
        return None


def _opened(file: Path) -> Image.Image:
    try:
        return open_picture(str(expand_home(file)))
    except ValueError as error:
        raise InvalidInputError(str(error)) from None


def _sha256(image: Image.Image) -> str:
    head = f"{image.mode}:{image.width}x{image.height}:".encode()
    return hashlib.sha256(head + image.tobytes()).hexdigest()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return nested dictionaries and lists with every value changed, the outer ones first."""
    changed = change(value)
    if changed is not value:
        return changed
    if isinstance(value, dict):
        return {key: _mapped(each, change) for key, each in value.items()}
    if isinstance(value, list):
        return [_mapped(each, change) for each in value]
    return value
