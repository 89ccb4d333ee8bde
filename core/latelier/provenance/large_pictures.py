"""Pictures too large for the provenance of a picture that was made from them.

A file carries the pictures that its run started from, so that a replay needs nothing else. Its
provenance is limited to `LIMIT`: readers refuse a PNG with much more text (Pillow: 64 MiB), and a
picture of one megabyte should not grow to fifty. Beyond the limit the largest are replaced by their
size and the SHA-256 of their pixels, by which a replay recognizes their files.
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
"""Most characters of the provenance in a file."""

_URI = "data:image/png;base64,"

_HASH = "picture_sha256"


def without_large_pictures(provenance: dict[str, Any], limit: int = LIMIT) -> dict[str, Any]:
    """Return a provenance whose JSON has at most `limit` characters.

    The largest pictures are replaced first. Without pictures it stays as long as it is.
    """
    excess = len(json.dumps(provenance, ensure_ascii=False)) - limit
    if excess <= 0:
        return provenance
    stored = sorted({text for text in _strings(provenance) if text.startswith(_URI)}, key=len)
    count = list(_strings(provenance)).count
    replaced: set[str] = set()
    while excess > 0 and stored:
        largest = stored.pop()
        replaced.add(largest)
        excess -= len(largest) * count(largest)

    def refer(value: Any) -> Any:
        return _describe(value) if isinstance(value, str) and value in replaced else value

    return _map_values(provenance, refer)


def with_large_pictures(
    provenance: dict[str, Any], files: Sequence[Path], what: str
) -> dict[str, Any]:
    """Return a provenance with its replaced pictures restored from `files`.

    Args:
        provenance: as it is in a file.
        files: of those pictures, in any order.
        what: the file of the provenance, for errors.

    Raises:
        InvalidInputError: a file cannot be read, or a picture is in none of them.
    """
    pictures = [_open(file) for file in files]

    def restore(value: Any) -> Any:
        if not (isinstance(value, dict) and _HASH in value):
            return value
        for picture in pictures:
            candidate = _convert(picture, value)
            if candidate is not None and _sha256(candidate) == value[_HASH]:
                return candidate
        size = " x ".join(re.findall(r"\d+", str(value.get("size"))))
        given = f"none of the {len(files)} given is" if files else "give the file, with --picture:"
        raise InvalidInputError(
            f"{what}: was made from a picture that is too large for its provenance; {given} that "
            f"of {size} pixels with the SHA-256 {str(value[_HASH])[:12]}..."
        )

    return _map_values(provenance, restore)


def _describe(uri: str) -> dict[str, Any]:
    """Return what stands for a picture: its hash, mode and size."""
    image = open_picture(uri)
    return {_HASH: _sha256(image), "mode": image.mode, "size": list(image.size)}


def _convert(picture: Image.Image, recorded: dict[str, Any]) -> Image.Image | None:
    """Return a picture in the recorded mode and size, as a run resizes it; None if it cannot be."""
    try:
        converted = picture.convert(recorded["mode"])
        size = tuple(recorded["size"])
        if converted.size == size:
            return converted
        return converted.resize(size, Image.Resampling.LANCZOS)
    except (KeyError, TypeError, ValueError):
        return None


def _open(file: Path) -> Image.Image:
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


def _map_values(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return nested dictionaries and lists with every value changed, outer values first."""
    changed = change(value)
    if changed is not value:
        return changed
    if isinstance(value, dict):
        return {key: _map_values(each, change) for key, each in value.items()}
    if isinstance(value, list):
        return [_map_values(each, change) for each in value]
    return value
