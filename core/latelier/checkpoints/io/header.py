"""The header of a safetensors file: names, dtypes and shapes, without reading a tensor."""

import json
from pathlib import Path
from typing import Any

from latelier.contracts.errors import ModelFileError

_LENGTH_LIMIT = 8 * 2**20

_TENSOR_LIMIT = 50_000


def read_header(path: Path) -> dict[str, dict[str, Any]]:
    """Return 'dtype' and 'shape' of each tensor, by name.

    It also refuses what the safetensors reader lets pass: repeated keys, leading space, absurd
    sizes.

    Raises:
        ModelFileError: the file is missing or damaged.
    """
    text = _header_text(path)
    try:
        tensors = json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: damaged or not a safetensors file: {error}") from None
    tensors.pop("__metadata__", None)
    if len(tensors) > _TENSOR_LIMIT:
        raise ModelFileError(f"{path}: {len(tensors)} tensors are more than any model has")
    for name, tensor in tensors.items():
        if not (isinstance(tensor, dict) and {"dtype", "shape"} <= tensor.keys()):
            raise ModelFileError(
                f"{path}: damaged or not a safetensors file: '{name}' has no dtype and shape"
            )
    return tensors


def _header_text(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > _LENGTH_LIMIT:
                raise ModelFileError(
                    f"{path}: damaged or not a safetensors file: its header would be {length} bytes"
                )
            text = file.read(length)
    except FileNotFoundError:
        raise ModelFileError(f"{path}: there is no such file") from None
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from None
    if len(text) != length or not text.startswith(b"{"):
        raise ModelFileError(f"{path}: damaged or not a safetensors file: its header is cut short")
    return text


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("its header names a tensor twice")
    return dict(pairs)
