"""The header of a safetensors file: names, dtypes and shapes, without reading a tensor."""

import json
from pathlib import Path
from typing import Any

from latelier.contracts.errors import ModelFileError

_MAX_HEADER_BYTES = 100_000_000
"""The limit of the format. Training tools store tags and thumbnails in it."""

_MAX_TENSORS = 50_000

_METADATA = "__metadata__"


def read_header(path: Path) -> dict[str, dict[str, Any]]:
    """Return the 'dtype' and 'shape' of each tensor, by name.

    Repeated keys, a leading space and absurd sizes, which the safetensors reader accepts, are
    refused.

    Raises:
        ModelFileError: the file is missing or damaged.
    """
    tensors = _parse_header(path)
    tensors.pop(_METADATA, None)
    if len(tensors) > _MAX_TENSORS:
        raise ModelFileError(f"{path}: {len(tensors)} tensors are more than any model has")
    for name, tensor in tensors.items():
        if not (isinstance(tensor, dict) and {"dtype", "shape"} <= tensor.keys()):
            raise _damaged(path, f"'{name}' has no dtype and shape")
    return tensors


def read_metadata(path: Path) -> dict[str, str]:
    """Return the texts that training tools stored in the header, by name.

    Raises:
        ModelFileError: the file is missing or damaged.
    """
    metadata = _parse_header(path).get(_METADATA, {})
    return {name: text for name, text in metadata.items() if isinstance(text, str)}


def _parse_header(path: Path) -> dict[str, Any]:
    text = _read_header_text(path)
    try:
        return json.loads(text, object_pairs_hook=_reject_repeated_keys)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from None


def _read_header_text(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > _MAX_HEADER_BYTES:
                raise _damaged(path, f"its header would be {length} bytes")
            text = file.read(length)
    except FileNotFoundError:
        raise ModelFileError(f"{path}: not found") from None
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from None
    if len(text) != length or not text.startswith(b"{"):
        raise _damaged(path, "its header is cut short")
    return text


def _reject_repeated_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("its header names a tensor twice")
    return dict(pairs)


def _damaged(path: Path, reason: str) -> ModelFileError:
    return ModelFileError(f"{path}: damaged or not a safetensors file: {reason}")
