"""The records of an evaluation, read from the files of its chunks."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from latelier.contracts.errors import InvalidInputError
from latelier.evaluation.records.chunk import ChunkHeader, Unusable, read_columns, read_header

RUN_COLUMNS = ("index", "features", "logits")
"""Columns that a run itself records."""


class StoredRecords:
    """The records of all chunks, of which one is in memory, unless a column is asked for.

    Attributes:
        count: Number of pictures.
        network: Name of the network of the features; "" without one.
        unusable: Samples without a picture.
    """

    def __init__(self, chunks: Sequence[Path], network: str = "", measure: str = "") -> None:
        """Open the records.

        Args:
            chunks: files in the order of their numbers.
            network: name of the network of the features.
            measure: whose columns are read under their own names; "": none.
        """
        headers: list[ChunkHeader] = [read_header(path) for path in chunks]
        self.count = sum(header.count for header in headers)
        self.network = network
        self.unusable: tuple[Unusable, ...] = tuple(
            each for header in headers for each in header.unusable
        )
        self._files = [path for path, header in zip(chunks, headers, strict=True) if header.count]
        self._measure = measure

    def column(self, name: str, /) -> Tensor:
        """Return a column, (N, ...), in memory.

        Raises:
            InvalidInputError: there is no such column.
        """
        parts = [part for (part,) in self.chunks(name)]
        if not parts:
            raise InvalidInputError(f"no picture was recorded, so there is no column '{name}'")
        return torch.cat(parts)

    def chunks(self, *names: str) -> Iterator[tuple[Tensor, ...]]:
        """Yield the columns a chunk of pictures at a time, in order.

        Raises:
            InvalidInputError: there is no such column.
        """
        stored = [stored_name(self._measure, name) for name in names]
        for path in self._files:
            yield read_columns(path, stored)


def stored_name(measure: str, column: str) -> str:
    """Return the name of a measure's column in the file; those of the run have no measure."""
    return column if column in RUN_COLUMNS else f"{measure}.{column}"
