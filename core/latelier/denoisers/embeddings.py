"""Sinusoidal embeddings of the positions of patches."""

import torch
from torch import Tensor

from latelier.nn.sinusoids import frequencies


def embed_positions(
    size: tuple[int, int], width: int, trained_side: int, device: torch.device
) -> Tensor:
    """Return the embedding (h * w, width), float32, of h x w patches, row by row.

    The first half of the width holds the column and the second the row, each as sines, then
    cosines (Peebles and Xie 2022, arXiv:2212.09748, section 3.2, in the published order).
    """
    h, w = size
    rows, columns = (
        patch_coordinates(side, max(size), trained_side, device)[:, None]
        * frequencies(width // 4, device)
        for side in size
    )  # (h, width // 4), (w, width // 4)
    by_row = torch.cat([rows.sin(), rows.cos()], dim=1)[:, None].expand(-1, w, -1)
    by_column = torch.cat([columns.sin(), columns.cos()], dim=1)[None].expand(h, -1, -1)
    return torch.cat([by_column, by_row], dim=2).flatten(0, 1)  # (h, w, width) -> (h * w, width)


def patch_coordinates(
    side: int, longer_side: int, trained_side: int, device: torch.device
) -> Tensor:
    """Return the coordinates (side,) of the patches along a side, in patches of the trained square.

    The picture is centred on the square that the model was trained on, and scaled until its longer
    side is as long as the square's. At the trained size these are the integers from 0. At other
    sizes they are interpolated: between the coordinates that a model knows its sines and cosines
    turn smoothly, outside them it has learnt nothing. Both sides share one factor, so that a
    distance means the same in both directions.
    """
    places = torch.arange(side, dtype=torch.float32, device=device)
    return (trained_side - 1) / 2 + (places - (side - 1) / 2) * (trained_side / longer_side)
