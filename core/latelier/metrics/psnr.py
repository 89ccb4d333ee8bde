"""Peak signal-to-noise ratio of pictures."""

import torch
from torch import Tensor

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images.pixels import denormalize


def psnr(images: Tensor, references: Tensor) -> Tensor:
    """Return the PSNR of each image in dB, float32 (B,): 10 log10(255^2 / mean squared error).

    Both are (B, C, H, W) in [-1, 1]; values beyond are clipped. They are compared as saved, that
    is, rounded to the levels 0..255. The PSNR of equal pictures is infinite.

    Raises:
        InvalidInputError: the shapes differ, or are not those of a batch of pictures.
    """
    if images.shape != references.shape or images.ndim != 4:
        raise InvalidInputError(
            "psnr expects two batches (B, C, H, W) of one shape, "
            f"got {tuple(images.shape)} and {tuple(references.shape)}"
        )
    errors = denormalize(images) - denormalize(references)
    return 10 * torch.log10(255**2 / errors.square().mean((1, 2, 3)))
