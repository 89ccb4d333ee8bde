"""The dominant colours of a picture: k-means in CIE L*a*b*, with no random start."""

import numpy as np
import torch
from PIL.Image import Image, Resampling
from torch import Tensor
from torch.nn.functional import one_hot

from latelier_palette.lab import hex_of, lab_from_rgb

COUNT = 5
"""Most colours that are taken from a picture."""

APART = 14.0
"""Least distance (CIE76) between two starting points: a gradient is few colours, not many."""

LEAST = 0.03
"""Colours of a smaller share of the picture are left out."""

_SIDE = 64
"""A larger picture is seen at every so many pixels."""

_ROUNDS = 10


def dominant_colors(picture: Image) -> dict[str, float]:
    """Return colour '#rrggbb' -> share of the picture, the largest first.

    Up to `COUNT` colours; the shares add up to at most 1. The same picture gives the same colours.
    """
    colors, pixels = _histogram(picture.convert("RGB"))
    centers = _starts(colors, pixels)
    members = _members(colors, pixels, centers)
    for _ in range(_ROUNDS):
        centers = (members.T @ colors) / members.sum(dim=0).clamp_min(1e-9)[:, None]
        members = _members(colors, pixels, centers)
    shares = members.sum(dim=0) / pixels.sum()
    found: dict[str, float] = {}
    for color, share in zip(hex_of(centers), shares.tolist(), strict=True):
        found[color] = found.get(color, 0.0) + share
    largest = sorted(found.items(), key=lambda item: -item[1])
    kept = [(color, share) for color, share in largest if share >= LEAST] or largest[:1]
    return {color: round(share, 4) for color, share in kept}


def _histogram(picture: Image) -> tuple[Tensor, Tensor]:
    """Return the colours of a picture, Lab (N, 3), and how many pixels have each, (N,)."""
    scale = min(1.0, _SIDE / max(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    seen = np.asarray(picture.resize(size, Resampling.NEAREST), dtype=np.int64).reshape(-1, 3)
    cells = (seen >> 4) @ np.array([256, 16, 1])  # 16 levels a channel: few hundred colours
    _, inverse, counts = np.unique(cells, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(inverse, seen[:, channel]) for channel in range(3)], axis=1)
    rgb = torch.from_numpy(sums / counts[:, None] / 255).float()
    return lab_from_rgb(rgb), torch.from_numpy(counts).float()


def _members(colors: Tensor, pixels: Tensor, centers: Tensor) -> Tensor:
    """Return how many pixels of each colour belong to each centre, (N, K)."""
    nearest = torch.cdist(colors, centers).argmin(dim=1)
    return one_hot(nearest, len(centers)) * pixels[:, None]


def _starts(colors: Tensor, pixels: Tensor) -> Tensor:
    """Return up to `COUNT` starting points: each time what most pixels are farthest from."""
    starts = [int(pixels.argmax())]
    distance = torch.cdist(colors, colors[starts])[:, 0]
    while len(starts) < COUNT and bool((distance > APART).any()):
        gain = torch.where(distance > APART, pixels * distance.square(), 0)
        starts.append(int(gain.argmax()))
        distance = torch.minimum(distance, torch.cdist(colors, colors[starts[-1:]])[:, 0])
    return colors[starts]
