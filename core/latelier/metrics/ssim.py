"""Structural similarity of pictures."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images.pixels import denormalize

MIN_SIDE = 11
"""Side in pixels of the Gaussian window, and so of the smallest image."""

_SIGMA = 1.5
"""Standard deviation in pixels of the Gaussian window."""

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
"""(K L)^2 of the paper: K is 0.01 and 0.03, and L, the range of levels, is 255."""


def ssim(images: Tensor, references: Tensor) -> Tensor:
    """Return the mean SSIM of each image, float32 (B,), at most 1 (Wang et al. 2004, eq. 13).

    Means, variances and covariance are taken in a Gaussian window around each pixel that has a
    whole window, in each channel (doi:10.1109/TIP.2003.819861). Pictures are compared as saved,
    that is, rounded to the levels 0..255.

    Args:
        images: (B, C, H, W) in [-1, 1]; values beyond are clipped.
        references: of the same shape.

    Raises:
        InvalidInputError: the shapes differ, or a side is smaller than the window of 11 pixels.
    """
    if images.shape != references.shape or images.ndim != 4 or min(images.shape[2:]) < MIN_SIDE:
        raise InvalidInputError(
            "ssim expects two batches (B, C, H, W) of one shape, with sides of at least "
            f"{MIN_SIDE} pixels, got {tuple(images.shape)} and {tuple(references.shape)}"
        )
    x, y = (denormalize(each).double().flatten(0, 1)[:, None] for each in (images, references))
    mean_x, mean_y = _blur(x), _blur(y)
    variances = _blur(x * x) - mean_x**2 + _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * covariance + _C2) / (variances + _C2)
    return (luminance * structure).reshape(len(images), -1).mean(1).float()


def _blur(planes: Tensor) -> Tensor:
    """Return the weighted means (N, 1, H - 10, W - 10) of planes (N, 1, H, W)."""
    offsets = torch.arange(MIN_SIDE, dtype=planes.dtype, device=planes.device) - MIN_SIDE // 2
    weights = torch.exp(-0.5 * (offsets / _SIGMA) ** 2)
    weights = weights / weights.sum()
    rows = conv2d(planes, weights.view(1, 1, 1, MIN_SIDE))
    return conv2d(rows, weights.view(1, 1, MIN_SIDE, 1))
