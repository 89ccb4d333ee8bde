"""What training minimises. Images are (B, 3, H, W) in [-1, 1]; every loss is a scalar or (B,)."""

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn.functional import avg_pool2d

Term = Callable[[Tensor, Tensor], Tensor]
"""A term of the reconstruction loss: (reconstructions, images) -> scalar."""


def absolute(reconstructions: Tensor, images: Tensor) -> Tensor:
    """Return the mean absolute error."""
    return (reconstructions - images).abs().mean()


def edges(reconstructions: Tensor, images: Tensor, scales: int = 3) -> Tensor:
    """Return the mean absolute error of the image gradients, summed over halved sizes.

    The gradient is linear, so it is taken of the difference. Blur costs more here than in
    `absolute`: it needs no downloaded network, unlike a perceptual loss.
    """
    difference = reconstructions - images
    total = difference.new_zeros(())
    for scale in range(scales):
        if scale:
            difference = avg_pool2d(difference, 2)
        total = total + difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()
    return total


def squared(reconstructions: Tensor, images: Tensor) -> Tensor:
    """Return the mean squared error."""
    return (reconstructions - images).square().mean()


TERMS: Mapping[str, Term] = {"absolute": absolute, "squared": squared, "edges": edges}
"""The terms of the reconstruction loss by their names in a configuration.

A perceptual or an adversarial term takes the same two arguments and joins here.
"""


def kl_divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """Return KL(N(mean, exp(logvar)) || N(0, 1)) per latent number, averaged: a scalar."""
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()


def denoising(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error of each sample, (B,) (Rombach et al. 2022, eq. 2)."""
    return (prediction.float() - target).square().flatten(1).mean(1)
