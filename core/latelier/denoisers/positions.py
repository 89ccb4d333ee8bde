"""Where the patches of a picture are, as sines and cosines."""

import torch
from torch import Tensor

from latelier.denoisers.timestep_embedding import frequencies


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
