"""The areas of objects in a semantic map."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from kornia.contrib import connected_components
from numpy.typing import NDArray

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
    small = labels[step // 2 :: step, step // 2 :: step]
    found = [area for label, group in groups.items() for area in _divide(small == label, group)]
    return sorted(found, key=lambda area: -int(area.shape.sum()))


def _divide(bits: Bits, group: str) -> Iterator[Area]:
    """Yield the connected parts of a map that are large enough."""
    if not bits.any():
        return
    grown = torch.from_numpy(bits).float()[None, None]
    # a number spreads by a pixel in each iteration; hardly a shape winds for longer than this
    numbers = connected_components(grown, num_iterations=bits.size // 4)[0, 0].numpy()
    height, width = bits.shape
    for number in np.unique(numbers[bits]):
        part = numbers == number
        if part.mean() < _LEAST:
            continue
        rows, columns = (np.flatnonzero(part.any(axis=axis)) for axis in (1, 0))
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        box = Box(x0=left / width, y0=top / height, x1=right / width, y1=bottom / height)
        yield Area(group, box, part[top:bottom, left:right])
