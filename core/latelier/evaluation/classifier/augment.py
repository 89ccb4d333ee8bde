"""Augmentation that makes rendered scenes look like decoded ones: shifted, blurred and noisy."""

import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate

_MAX_SHIFT = 3
"""Pixels."""

_MAX_BLUR = 1.2
"""Standard deviation in pixels."""

_MAX_NOISE = 0.08
_MAX_TINT = 0.06
_BLUR_RADIUS = 3


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return images (B, 3, H, W) in [-1, 1], each shifted, blurred, tinted and with noise.

    The blur is a Gaussian or a downsampling, one of the two for the whole batch. Each image is
    mixed with its blurred copy by a weight of its own, which is 0 for half of the images.
    """
    images = _shift(images, generator)
    height, width = images.shape[2:]
    if _uniform(generator) < 0.5:
        soft = blur(images, 0.4 + (_MAX_BLUR - 0.4) * _uniform(generator))
    else:
        factor = 0.5 + 0.35 * _uniform(generator)
        coarse = interpolate(images, scale_factor=factor, mode="bilinear", antialias=True)
        soft = interpolate(coarse, (height, width), mode="bicubic")
    per_image = (len(images), 1, 1, 1)
    weight = (2 * torch.rand(per_image, generator=generator) - 1).clamp(min=0)
    strength = _MAX_NOISE * torch.rand(per_image, generator=generator).square()
    tint = _MAX_TINT * (2 * torch.rand(len(images), 3, 1, 1, generator=generator) - 1)
    noise = torch.randn(images.shape, generator=generator)
    return (torch.lerp(images, soft, weight) + tint + strength * noise).clamp(-1, 1)


def blur(images: Tensor, sigma: float) -> Tensor:
    """Convolve images (B, C, H, W) with a Gaussian of `sigma` pixels; edge pixels are repeated."""
    height, width = images.shape[2:]
    rows = _gaussian_matrix(height, sigma).to(images)
    columns = _gaussian_matrix(width, sigma).to(images)
    return rows @ images @ columns.T


def _gaussian_matrix(side: int, sigma: float) -> Tensor:
    """Return the matrix (side, side) that blurs a line of `side` pixels."""
    places = torch.arange(side)
    weights = torch.zeros(side, side)
    for k in range(-_BLUR_RADIUS, _BLUR_RADIUS + 1):
        weight = math.exp(-0.5 * (k / sigma) ** 2)
        weights[places, (places + k).clamp(0, side - 1)] += weight
    return weights / weights.sum(dim=1, keepdim=True)


def _shift(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift each image by up to `_MAX_SHIFT` pixels; edge pixels are repeated."""
    count, channels, height, width = images.shape
    down, right = torch.randint(-_MAX_SHIFT, _MAX_SHIFT + 1, (2, count, 1), generator=generator)
    rows = (torch.arange(height) + down).clamp(0, height - 1)  # (B, H)
    columns = (torch.arange(width) + right).clamp(0, width - 1)  # (B, W)
    shifted = images.gather(2, rows[:, None, :, None].expand(-1, channels, -1, width))
    return shifted.gather(3, columns[:, None, None, :].expand(-1, channels, height, -1))


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))
