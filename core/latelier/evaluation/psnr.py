"""Peak signal-to-noise ratio of pictures."""

import torch
from torch import Tensor

from latelier.contracts.errors import InvalidInputError


def psnr(images: Tensor, references: Tensor) -> Tensor:
    """Return the PSNR of each image in dB, float32 (B,): 10 log10(255^2 / mean squared error).

    Both are (B, C, H, W) in [-1, 1]. They are first rounded to the levels 0..255 of a saved
    picture, values beyond being clipped. Equal pictures give infinity.

    Raises:
        InvalidInputError: the shapes differ, or are not those of a batch of pictures.
    """
    if images.shape != references.shape or images.ndim != 4:
        raise InvalidInputError(
            "psnr compares two batches (B, C, H, W) of one shape, "
            f"not {tuple(images.shape)} and {tuple(references.shape)}"
        )
    errors = _levels(images) - _levels(references)
    return 10 * torch.log10(255**2 / errors.square().mean((1, 2, 3)))


def _levels(images: Tensor) -> Tensor:
    return ((images.float().clamp(-1, 1) + 1) * 127.5).round()
