"""Multistep consistency sampling (Song et al., arXiv:2303.01469, Algorithm 1)."""

from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def lcm(denoise: Denoise, x: Tensor, sigmas: SigmaGrid, /, *, noise: Noise) -> Iterator[Step]:
    """Yield the steps of Algorithm 1: to x0 in one call of `denoise`, then new noise.

    It needs a model that was distilled to predict the end of the path in one call: a latent
    consistency model (arXiv:2310.04378), or a model with such an adapter. The x0 of any other model
    is the posterior mean, so images are blurry. A few steps are enough.
    """
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        x = denoised * sigmas.alpha(sigma_next)
        if sigma_next > 0:
            x.add_(noise(sigma, sigma_next), alpha=sigma_next)
        yield Step(index, sigma_next, x, denoised)
