"""A chain of steps over a map, in tiles where that takes less memory."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import groupby

import torch
from torch import Tensor

from latelier.contracts.errors import InvalidInputError
from latelier.first_stages.tiling.chain import Step, everywhere, run, scale
from latelier.first_stages.tiling.layerwise import run_layerwise
from latelier.first_stages.tiling.tiles import total_scale


@torch.no_grad()
def run_tiled(chain: Sequence[Step], x: Tensor, tile: int, *, exact: bool) -> Tensor:
    """Return what a chain makes of x (B, C, h, w); see `latelier.first_stages.tiling.tiling`.

    tile: side of a tile in positions of the image, the larger of input and output.

    Raises:
        InvalidInputError: the tile's side is not a multiple of the chain's factor.
    """
    factor = total_scale(chain)
    _check_tile(tile, int(max(factor, 1 / factor)))
    side = tile / (x.shape[2] * max(factor, Fraction(1)))  # of a tile, in heights of a map
    device = x.device
    for at_once, steps in _parts(chain, x.shape[2] * x.shape[3], tile):
        if at_once:
            x = run(steps, x.to(device))
        else:
            x = run_layerwise(steps, x, int(side * x.shape[2]), device, exact=exact)
    return x.to(device)


def _parts(chain: Sequence[Step], positions: int, tile: int) -> Iterator[tuple[bool, list[Step]]]:
    """Yield the chain in parts, each with whether it is run on the whole map.

    It is where a step sees everything, and where the map has no more positions than a tile.
    """
    at_once = []
    for step in chain:
        after = int(positions * scale(step) ** 2)
        at_once.append(everywhere(step) or max(positions, after) <= tile**2)
        positions = after
    for whole, part in groupby(range(len(chain)), key=at_once.__getitem__):
        yield whole, [chain[index] for index in part]


def _check_tile(tile: int, f: int) -> None:
    if tile < 1 or tile % f:
        smaller = max(f, tile // f * f)
        raise InvalidInputError(
            f"the side of a tile must be a multiple of {f} pixels for this first stage, "
            f"not {tile}; nearest: {smaller} or {smaller + f}"
        )
