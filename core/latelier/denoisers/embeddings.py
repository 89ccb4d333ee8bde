"""Where the patches of a picture are, as sines and cosines."""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad


def position_embedding(
    grid: tuple[int, int], width: int, trained_side: int, device: torch.device
) -> Tensor:
    """Return the embedding (h * w, width), float32, of the patches of a grid (h, w), row by row.

    The first half of the width holds the column, the second the row, each as sines, then cosines
    (Peebles and Xie 2022, arXiv:2212.09748, section 3.2, in the order of the published models).
    """
    angles = [
        coordinates(side, max(grid), trained_side, device)[:, None]
        * frequencies(width // 4, device)
        for side in grid
    ]
    rows, columns = (torch.cat([each.sin(), each.cos()], dim=1) for each in angles)
    h, w = grid
    whole = [columns[None].expand(h, -1, -1), rows[:, None].expand(-1, w, -1)]
    return torch.cat(whole, dim=2).flatten(0, 1)


def coordinates(side: int, longer: int, trained_side: int, device: torch.device) -> Tensor:
    """Return where the patches along a side are, (side,), in patches of the trained square.

    The picture is laid over the square that was trained on, its middle on the square's middle and
    its longer side as long as the square's. At the trained size these are the integers from 0. At
    others they are interpolated: a model has learnt no meaning for coordinates outside its square,
    whereas between those it knows sines and cosines turn smoothly. Both sides share one factor, so
    that distances mean the same in both directions, and a picture that is not square is seen as a
    band across the middle of one that is.
    """
    places = torch.arange(side, dtype=torch.float32, device=device)
    return (trained_side - 1) / 2 + (places - (side - 1) / 2) * (trained_side / longer)


def frequencies(count: int, device: torch.device) -> Tensor:
    """Return 10000^(-i / count), i = 0 .. count - 1, as (count,) float32.

    (Vaswani et al. 2017, arXiv:1706.03762, section 3.5.)
    """
    exponents = torch.arange(count, dtype=torch.float32, device=device) * (-math.log(1e4) / count)
    return exponents.exp()


def timestep_embedding(t: Tensor, width: int) -> Tensor:
    """Return the embedding (B, width), float32, of timesteps t (B,).

    Cosines first, then sines, as in the published latent diffusion models, of half the width each;
    an odd width ends with a zero.
    """
    angles = t.float()[:, None] * frequencies(width // 2, t.device)
    return pad(torch.cat([angles.cos(), angles.sin()], dim=1), (0, width % 2))
