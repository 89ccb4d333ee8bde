"""Tensors of any shapes as a few flat ones, so that a shard has a short header and is only mapped.

The rows of a tensor `name` of one type and rank are one after another in

data/<name>/<type>/<rank>   (numbers,)
shape/<name>/<type>/<rank>  (rows, rank) int64, -1 in a row that has no such tensor
"""

import itertools
import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class _Column:
    """The rows of one tensor.

    Attributes:
        name: Of the tensor.
        data: Its numbers, (numbers,).
        shapes: Of each row; None for one without it. Equal ones are one object.
        ends: Place after the numbers of each row, with a 0 before them.
    """

    name: str
    data: Tensor
    shapes: Sequence[tuple[int, ...] | None]
    ends: "array[int]"


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
        tensors = {}
        for column in self._columns:
            shape = column.shapes[row]
            if shape is not None:
                numbers = column.data[column.ends[row] : column.ends[row + 1]]
                tensors[column.name] = numbers.view(shape)
        return tensors


def _read_columns(tensors: Mapping[str, Tensor]) -> Iterator[_Column]:
    for key in sorted(tensors):
        if not key.startswith(_SHAPE):
            continue
        label = key.removeprefix(_SHAPE)
        known: dict[tuple[int, ...], tuple[int, ...]] = {}
        found = (tuple(each) for each in tensors[key].tolist())
        shapes = [None if -1 in each else known.setdefault(each, each) for each in found]
        counts = (0 if shape is None else math.prod(shape) for shape in shapes)
        ends = array("q", [0, *itertools.accumulate(counts)])
        data = tensors[f"{_DATA}{label}"]
        if len(data) != ends[-1]:
            raise ValueError(f"{label} has {len(data)} numbers, expected {ends[-1]}")
        yield _Column(label.split("/")[0], data, shapes, ends)
