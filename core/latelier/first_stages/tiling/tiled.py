"""A sequence of steps over a map, in tiles where that takes less memory."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import groupby

import torch
from torch import Tensor

from latelier.contracts.errors import InvalidInputError
from latelier.first_stages.tiling.chain import Step, run_steps
from latelier.first_stages.tiling.layerwise import run_layerwise
from latelier.first_stages.tiling.tiles import total_scale
from latelier.first_stages.tiling.tiling import TilingMode


@torch.no_grad()
def run_tiled(steps: Sequence[Step], x: Tensor, tile: int, mode: TilingMode) -> Tensor:
    """Return the output of steps for x (B, C, h, w); see `latelier.first_stages.tiling.tiling`.

    tile: side of a tile in positions of the image, the larger of input and output.

    Raises:
        InvalidInputError: the tile's side is not a multiple of the steps' scale.
    """
    scale = total_scale(steps)
    _check_tile(tile, int(max(scale, 1 / scale)))
    side = tile / (x.shape[2] * max(scale, Fraction(1)))  # of a tile, in heights of a map
    device = x.device
    for is_whole, part in _group_steps(steps, x.shape[2] * x.shape[3], tile):
        if is_whole:
            x = run_steps(part, x.to(device))
        else:
            x = run_layerwise(part, x, int(side * x.shape[2]), device, mode)
    return x.to(device)


def _group_steps(
    steps: Sequence[Step], positions: int, tile: int
) -> Iterator[tuple[bool, list[Step]]]:
    """Yield consecutive steps, each group with whether it runs on the whole map.

    A global step does, and a step whose maps have no more positions than a tile.
    """
    is_whole = []
    for step in steps:
        after = int(positions * step.scale**2)
        is_whole.append(step.is_global or max(positions, after) <= tile**2)
        positions = after
    for whole, group in groupby(range(len(steps)), key=is_whole.__getitem__):
        yield whole, [steps[index] for index in group]


def _check_tile(tile: int, f: int) -> None:
    if tile < 1 or tile % f:
        smaller = max(f, tile // f * f)
        raise InvalidInputError(
            f"the side of a tile must be a multiple of {f} pixels for this first stage, "
            f"not {tile}; nearest: {smaller} or {smaller + f}"
        )
