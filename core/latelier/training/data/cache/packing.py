"""Tensors of one axis or more as a few flat ones: a shard then has a short header and is mapped.

The rows of a tensor `name` of one type and rank are one after another in

data/<name>/<type>/<rank>   (numbers,)
shape/<name>/<type>/<rank>  (rows, rank) int64, -1 in a row that has no such tensor
"""

import itertools
import math
from array import array
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

Row = Mapping[str, Tensor]

_DATA, _SHAPE = "data/", "shape/"


def pack_rows(rows: Sequence[Row]) -> dict[str, Tensor]:
    """Return the flat tensors of rows."""
    columns: dict[str, list[Tensor | None]] = {}
    for number, row in enumerate(rows):
        for name, tensor in row.items():
            label = f"{name}/{str(tensor.dtype).removeprefix('torch.')}/{tensor.ndim}"
            columns.setdefault(label, [None] * len(rows))[number] = tensor
    packed = {}
    for label, column in columns.items():
        rank = int(label.rpartition("/")[2])
        shapes = [[-1] * rank if each is None else list(each.shape) for each in column]
        packed[f"{_SHAPE}{label}"] = torch.tensor(shapes, dtype=torch.int64)
        packed[f"{_DATA}{label}"] = torch.cat([e.flatten() for e in column if e is not None])
    return packed


class _Column:
    """The rows of one tensor.

    Attributes:
        name: Of the tensor.
    """

    def __init__(self, name: str, data: Tensor, shapes: Sequence[tuple[int, ...] | None]) -> None:
        """Create the column.

        Args:
            name: of the tensor.
            data: its numbers, (numbers,).
            shapes: of each row; None for one without it.

        Raises:
            ValueError: the numbers are not those of the shapes.
        """
        counts = (0 if shape is None else math.prod(shape) for shape in shapes)
        ends = array("q", [0, *itertools.accumulate(counts)])
        if len(data) != ends[-1]:
            raise ValueError(f"{name} has {len(data)} numbers, expected {ends[-1]}")
        self.name = name
        self._data, self._shapes, self._ends = data, shapes, ends
        first, are_equal = shapes[0], len(set(shapes)) == 1
        self._table = data.view(len(shapes), *first) if first is not None and are_equal else None

    def read(self, row: int) -> Tensor | None:
        """Return the tensor of a row; None if it has none."""
        if self._table is not None:  # faster
            return self._table[row]
        shape = self._shapes[row]
        if shape is None:
            return None
        return self._data[self._ends[row] : self._ends[row + 1]].view(shape)


class PackedRows:
    """Rows of flat tensors, which are only viewed: those of a mapped file are read when used."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        """Create the rows of the tensors of `pack_rows`; others among them are left alone.

        Raises:
            KeyError, ValueError: the tensors do not fit together.
        """
        self._columns = list(_read_columns(tensors))

    def read(self, row: int) -> dict[str, Tensor]:
        """Return the tensors of a row."""
        found = ((column.name, column.read(row)) for column in self._columns)
        return {name: tensor for name, tensor in found if tensor is not None}


def _read_columns(tensors: Mapping[str, Tensor]) -> Iterator[_Column]:
    for key in sorted(tensors):
        if key.startswith(_SHAPE):
            label = key.removeprefix(_SHAPE)
            known: dict[tuple[int, ...], tuple[int, ...]] = {}  # equal shapes are one object
            found = (tuple(each) for each in tensors[key].tolist())
            shapes = [None if -1 in each else known.setdefault(each, each) for each in found]
            yield _Column(label.split("/")[0], tensors[f"{_DATA}{label}"], shapes)
