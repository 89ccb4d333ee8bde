"""Regularisation of latents."""

from torch import Tensor


def kl_divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """Return KL(N(mean, exp(logvar)) || N(0, 1)), averaged over all latent numbers: a scalar."""
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
