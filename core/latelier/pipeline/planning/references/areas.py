"""The areas of objects in a semantic map."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from kornia.contrib import connected_components
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import max_pool2d

from latelier.contracts.inputs import Box

Bits: TypeAlias = NDArray[np.bool_]

_SIDE = 64
"""Longest side, in pixels, at which areas are told apart."""

_LEAST = 0.004
"""Least share of the picture of an area: smaller ones are stray pixels."""


@dataclass(frozen=True, eq=False)
class Area:
    """A connected part of a map with one label.

    Attributes:
        group: the name of the label.
        box: around it.
        shape: (H, W), the part of the map in the box.
    """

    group: str
    box: Box
    shape: Bits


def list_areas(labels: NDArray[Any], groups: Mapping[int, str]) -> list[Area]:
    """Return the areas of a map whose labels are groups, the largest first.

    Args:
        labels: (H, W).
        groups: label -> its group.
    """
    step = -(-max(labels.shape) // _SIDE)
    found: list[Area] = []
    for label, group in groups.items():
        bits = labels == label
        parts = _divide(bits[step // 2 :: step, step // 2 :: step])
        found += [_cut_out(bits, part, step, group) for part in parts]
    return sorted(found, key=lambda area: -int(area.shape.sum()))


def reduce_mask(mask: Image.Image, side: int) -> Image.Image:
    """Return a mask, mode L, whose longest side is `side` pixels."""
    scale = side / max(mask.size)
    size = (max(1, round(mask.width * scale)), max(1, round(mask.height * scale)))
    return mask.resize(size, Image.Resampling.BOX)


def _divide(bits: Bits) -> Iterator[Bits]:
    """Yield the connected parts of a small map that are large enough."""
    if not bits.any():
        return
    grown = torch.from_numpy(bits).float()[None, None]
    # a number spreads by a pixel in each iteration; hardly a shape winds for longer than this
    numbers = connected_components(grown, num_iterations=bits.size // 4)[0, 0].numpy()
    for number in np.unique(numbers[bits]):
        part = numbers == number
        if part.mean() >= _LEAST:
            yield part


def _cut_out(bits: Bits, part: Bits, step: int, group: str) -> Area:
    """Return the area of a map (H, W) that is a part of the small map.

    Args:
        bits: (H, W), where the map has the label.
        part: (h, w), the part in the small map, each of whose pixels is the middle of a cell.
        step: side of a cell.
        group: of the label.
    """
    cells = np.ix_(
        *(
            _find_cells(side, count, step)
            for side, count in zip(bits.shape, part.shape, strict=True)
        )
    )
    exact = bits & part[cells]
    left, top, right, bottom = _find_bounds(exact)
    # cells at the edge have their middle outside
    near = slice(max(0, top - step), bottom + step), slice(max(0, left - step), right + step)
    for _ in range(step):
        exact[near] = bits[near] & _grow(exact[near])
    left, top, right, bottom = bounds = _find_bounds(exact)
    box = Box.of_pixels(bounds, (bits.shape[1], bits.shape[0]))
    return Area(group, box, exact[top:bottom, left:right])


def _find_cells(side: int, count: int, step: int) -> NDArray[np.intp]:
    """Return the number of the cell of each pixel along a side; the last cell may be wider."""
    return np.minimum(np.arange(side) // step, count - 1)


def _find_bounds(bits: Bits) -> tuple[int, int, int, int]:
    """Return the left, top, right and bottom of an area (H, W), the ends exclusive."""
    rows, columns = (np.flatnonzero(bits.any(axis=axis)) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _grow(bits: Bits) -> Bits:
    """Return the pixels (H, W) of an area and their neighbours."""
    return max_pool2d(torch.from_numpy(bits).float()[None], 3, stride=1, padding=1)[0].numpy() > 0
