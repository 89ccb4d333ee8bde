"""Losses of a denoiser's predictions."""

from torch import Tensor


def denoising_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error of each sample, (B,) (Rombach et al. 2022, eq. 2)."""
    return (prediction.float() - target).square().flatten(1).mean(1)
