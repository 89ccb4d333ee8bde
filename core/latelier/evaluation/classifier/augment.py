"""Making rendered scenes look as if an autoencoder had returned them: moved, softened, noisy."""

import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate

_FARTHEST = 3

_MOST_BLUR = 1.2

_MOST_NOISE = 0.08

_MOST_TINT = 0.06

_TAPS = 3


def softened(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return images (B, 3, H, W) in [-1, 1], each moved, blurred, tinted and made noisy a little.

    Half of them keep their sharpness. The blur is a Gaussian or a coarser grid of pixels, one kind
    for the whole batch, mixed in to a degree of each image's own.
    """
    images = _moved(images, generator)
    height, width = images.shape[2:]
    if _uniform(generator) < 0.5:
        soft = blurred(images, 0.4 + (_MOST_BLUR - 0.4) * _uniform(generator))
    else:
        share = 0.5 + 0.35 * _uniform(generator)
        coarse = interpolate(images, scale_factor=share, mode="bilinear", antialias=True)
        soft = interpolate(coarse, (height, width), mode="bicubic")
    each = (len(images), 1, 1, 1)
    degree = (2 * torch.rand(each, generator=generator) - 1).clamp(min=0)
    strength = _MOST_NOISE * torch.rand(each, generator=generator).square()
    tint = _MOST_TINT * (2 * torch.rand(len(images), 3, 1, 1, generator=generator) - 1)
    noise = torch.randn(images.shape, generator=generator)
    return (torch.lerp(images, soft, degree) + tint + strength * noise).clamp(-1, 1)


def blurred(images: Tensor, sigma: float) -> Tensor:
    """Return images (B, C, H, W) under a Gaussian of `sigma` pixels; their rims are repeated."""
    height, width = images.shape[2:]
    down, across = _gaussian(height, sigma).to(images), _gaussian(width, sigma).to(images)
    return down @ images @ across.T


def _gaussian(side: int, sigma: float) -> Tensor:
    """Return the matrix (side, side) that blurs a line of `side` pixels."""
    places = torch.arange(side)
    weights = torch.zeros(side, side)
    for k in range(-_TAPS, _TAPS + 1):
        weight = math.exp(-0.5 * (k / sigma) ** 2)
        weights[places, (places + k).clamp(0, side - 1)] += weight
    return weights / weights.sum(dim=1, keepdim=True)


def _moved(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift each image by up to three pixels; its rim is repeated where it leaves a gap."""
    count, channels, height, width = images.shape
    down, right = torch.randint(-_FARTHEST, _FARTHEST + 1, (2, count, 1), generator=generator)
    rows = (torch.arange(height) + down).clamp(0, height - 1)  # (B, H)
    columns = (torch.arange(width) + right).clamp(0, width - 1)  # (B, W)
    picked = images.gather(2, rows[:, None, :, None].expand(-1, channels, -1, width))
    return picked.gather(3, columns[:, None, None, :].expand(-1, channels, height, -1))


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))
