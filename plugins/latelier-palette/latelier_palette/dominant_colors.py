"""The dominant colours of a picture, by k-means in CIE L*a*b* from deterministic starts."""

import numpy as np
import torch
from PIL.Image import Image, Resampling
from torch import Tensor
from torch.nn.functional import one_hot

from latelier_palette.lab import hex_from_lab, lab_from_rgb

MAX_COUNT = 5
"""Largest number of colours."""

MIN_DISTANCE = 14.0
"""Smallest CIE76 distance between two starting points, so that a gradient has few colours."""

MIN_SHARE = 0.03
"""Smallest share of the picture that a colour must have."""

_MAX_SIDE = 64
"""Larger pictures are subsampled to this side."""

_ROUNDS = 10


def dominant_colors(picture: Image) -> dict[str, float]:
    """Return colour '#rrggbb' -> share of the picture, for at most `MAX_COUNT` colours.

    The largest share comes first, and the shares add up to at most 1. Equal pictures give equal
    colours.
    """
    colors, pixels = _histogram(picture.convert("RGB"))
    centers = _choose_starts(colors, pixels)
    members = _assign(colors, pixels, centers)
    for _ in range(_ROUNDS):
        centers = (members.T @ colors) / members.sum(dim=0).clamp_min(1e-9)[:, None]
        members = _assign(colors, pixels, centers)
    shares = members.sum(dim=0) / pixels.sum()
    found: dict[str, float] = {}
    for color, share in zip(hex_from_lab(centers), shares.tolist(), strict=True):
        found[color] = found.get(color, 0.0) + share
    largest = sorted(found.items(), key=lambda item: -item[1])
    kept = [(color, share) for color, share in largest if share >= MIN_SHARE] or largest[:1]
    return {color: round(share, 4) for color, share in kept}


def _histogram(picture: Image) -> tuple[Tensor, Tensor]:
    """Return the colours of a picture, Lab (N, 3), and the number of pixels of each, (N,)."""
    scale = min(1.0, _MAX_SIDE / max(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    rgb_levels = np.asarray(picture.resize(size, Resampling.NEAREST), dtype=np.int64).reshape(-1, 3)
    cells = (rgb_levels >> 4) @ np.array(
        [256, 16, 1]
    )  # 16 levels per channel give a few hundred colours
    _, inverse, counts = np.unique(cells, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(inverse, rgb_levels[:, channel]) for channel in range(3)], axis=1)
    rgb = torch.from_numpy(sums / counts[:, None] / 255).float()
    return lab_from_rgb(rgb), torch.from_numpy(counts).float()


def _assign(colors: Tensor, pixels: Tensor, centers: Tensor) -> Tensor:
    """Return the number of pixels of each colour that each centre gets, (N, K)."""
    nearest = torch.cdist(colors, centers).argmin(dim=1)
    return one_hot(nearest, len(centers)) * pixels[:, None]


def _choose_starts(colors: Tensor, pixels: Tensor) -> Tensor:
    """Return starting points: each next one is far from the others and has many pixels."""
    starts = [int(pixels.argmax())]
    distance = torch.cdist(colors, colors[starts])[:, 0]
    while len(starts) < MAX_COUNT and bool((distance > MIN_DISTANCE).any()):
        gain = torch.where(distance > MIN_DISTANCE, pixels * distance.square(), 0)
        starts.append(int(gain.argmax()))
        distance = torch.minimum(distance, torch.cdist(colors, colors[starts[-1:]])[:, 0])
    return colors[starts]
