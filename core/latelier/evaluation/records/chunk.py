"""A chunk of records, and its file.

A chunk is a function of an evaluation and its number. Its file is there as a whole or not at all.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from latelier.checkpoints.io.weights import write_weights
from latelier.contracts.errors import DataError, InvalidInputError

_METADATA = "chunk"
_PATTERN = "chunk-*.safetensors"


@dataclass(frozen=True)
class Unusable:
    """A sample that could not be used.

    Attributes:
        index: Of the sample.
        name: Of the sample, such as its file.
        reason: Why.
    """

    index: int
    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Chunk:
    """What is recorded of the pictures of a chunk.

    Attributes:
        number: Of the chunk.
        columns: Tensors (B, ...) by name, in the order of the indices; "index" is int64 (B,). Empty
            if no sample could be used.
        unusable: The samples without a picture.
        kept: Pictures that are kept as files, uint8 (3, H, W), by index.
    """

    number: int
    columns: Mapping[str, Tensor]
    unusable: tuple[Unusable, ...]
    kept: Mapping[int, Tensor]


@dataclass(frozen=True)
class ChunkHeader:
    """What the header of a chunk's file says.

    Attributes:
        identity: Of the evaluation.
        number: Of the chunk.
        count: Number of pictures.
        unusable: The samples without a picture.
    """

    identity: str
    number: int
    count: int
    unusable: tuple[Unusable, ...]


def chunk_path(folder: Path, number: int) -> Path:
    """Return the path of a chunk's file."""
    return folder / f"chunk-{number:06d}.safetensors"


def write_chunk(folder: Path, chunk: Chunk, identity: str) -> None:
    """Write the file of a chunk of the evaluation with an identity.

    Raises:
        OSError: the file cannot be written; nothing is left of it.
    """
    header = {
        "identity": identity,
        "number": chunk.number,
        "count": len(chunk.columns.get("index", ())),
        "unusable": [asdict(each) for each in chunk.unusable],
    }
    columns = dict(chunk.columns) or {"index": torch.zeros(0, dtype=torch.int64)}
    write_weights(chunk_path(folder, chunk.number), columns, {_METADATA: json.dumps(header)})


def list_chunks(folder: Path) -> list[Path]:
    """Return the files of chunks in a folder, in the order of their numbers."""
    return sorted(folder.glob(_PATTERN))


def read_header(path: Path) -> ChunkHeader:
    """Read the header of a chunk's file.

    Raises:
        DataError: it is damaged, or no chunk.
    """
    with _open(path) as file:
        try:
            values = json.loads((file.metadata() or {})[_METADATA])
            values["unusable"] = tuple(Unusable(**each) for each in values["unusable"])
            return ChunkHeader(**values)
        except (KeyError, TypeError, ValueError):
            raise DataError(f"{path}: is no chunk of an evaluation") from None


def read_columns(path: Path, names: Sequence[str]) -> tuple[Tensor, ...]:
    """Read columns of a chunk's file.

    Raises:
        DataError: the file is damaged.
        InvalidInputError: it lacks a column.
    """
    with _open(path) as file:
        missing = set(names) - set(file.keys())
        if missing:
            raise InvalidInputError(f"{path}: has no column '{min(missing)}'")
        return tuple(file.get_tensor(name) for name in names)


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except SafetensorError as error:
        raise DataError(f"{path}: is damaged: {error}; remove it and start again") from None
