"""Overlapping windows over latents: where they lie, and how their estimates are blended.

A denoiser that sees windows of its training size works on any picture (Bar-Tal et al. 2023,
MultiDiffusion, arXiv:2302.08113; before it, the split input of the paper's code). There is no
padding: windows are spread evenly from edge to edge, so that each overlaps the next by at least the
given share. The weights of the blend are normalized along each side, so they add up to 1
everywhere, also at the edges and with a single row or column of windows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import ceil, floor, prod

import torch
from torch import Tensor

Sides = tuple[int, int]
"""(h, w) in positions of the latents."""

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in 0..1 of the whole."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Window:
    """A part of the latents that the denoiser sees on its own.

    Attributes:
        rows: its rows of the latents.
        columns: its columns of the latents.
        box: the same, in 0..1 of the whole.
        weights: (h, w) float32, above 0 and up to 1: the weight of its estimate at each of its
            positions. Those of all windows add up to 1 at every position of the latents.
    """

    rows: slice
    columns: slice
    box: Box
    weights: Tensor

    def of(self, whole: Tensor) -> Tensor:
        """Return this part (..., h, w) of a whole (..., H, W), as a view."""
        return whole[..., self.rows, self.columns]


def make_windows(size: Sides, side: Sides, overlap: float) -> list[Window]:
    """Return the windows of latents of `size`, row by row.

    Args:
        size: of the latents.
        side: of a window; at most that of the latents is used.
        overlap: in [0, 1), the least share of a window's side that the next window covers too.
    """
    rows, columns = (list(_spans(*each, overlap)) for each in zip(size, side, strict=True))
    return [
        Window(row, column, _box(row, column, size), down[:, None] * across)
        for (row, down), (column, across) in product(rows, columns)
    ]


def count_windows(size: Sides, side: Sides, overlap: float) -> int:
    """Return the number of windows that `make_windows` makes."""
    return prod(
        len(_starts(length, min(each, length), overlap))
        for length, each in zip(size, side, strict=True)
    )


def _spans(length: int, side: int, overlap: float) -> Iterator[tuple[slice, Tensor]]:
    """Yield the spans of the windows along one side of the latents, each with its weights."""
    side = min(side, length)
    starts = _starts(length, side, overlap)
    total = torch.zeros(length, dtype=torch.float64)
    bell = (torch.pi * (torch.arange(side, dtype=torch.float64) + 0.5) / side).sin() ** 2
    for start in starts:
        total[start : start + side] += bell
    for start in starts:
        span = slice(start, start + side)
        yield span, (bell / total[span]).float()


def _starts(length: int, side: int, overlap: float) -> list[int]:
    """Return where spans of `side` begin: spread evenly, at most a step apart."""
    step = max(1, floor(side * (1 - overlap) + 1e-9))  # 10 * (1 - 0.8) is just below 2
    gaps = ceil((length - side) / step)
    return [k * (length - side) // gaps for k in range(gaps)] + [length - side]


def _box(rows: slice, columns: slice, size: Sides) -> Box:
    height, width = size
    x0, y0 = columns.start / width, rows.start / height
    return x0, y0, columns.stop / width, rows.stop / height
