"""DDPM's ancestral sampling (Ho et al., arXiv:2006.11239, Algorithm 2)."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

from pydantic import Field
from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def ddpm(
    denoise: Denoise,
    x: Tensor,
    sigmas: SigmaGrid,
    /,
    *,
    noise: Noise,
    variance: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="step variance: 0: posterior ('fixed small'), 1: beta ('fixed large'); "
            "between them: (1 - variance) * posterior + variance * beta",
        ),
    ] = 0.0,
) -> Iterator[Step]:
    """Yield the steps of Algorithm 2, one call of `denoise` each, first order.

    A step draws from the posterior of the next x given x0 and x (equation 7). The step to sigma 0
    adds no noise. `variance` is the `v_posterior` of the published configurations; at 0 this is
    `ddim` with eta 1. beta is that of x at unit variance, 1 - abar / abar_next, in either frame.
    """
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        alpha, alpha_next = sigmas.alpha(sigma), sigmas.alpha(sigma_next)
        # The quotient of the noise-to-signal ratios, exp(-h): 0 from pure noise.
        decay = sigma_next * alpha / (sigma * alpha_next)
        ratio = sigma_next / sigma * decay
        x = (x * ratio).add_(denoised, alpha=alpha_next - ratio * alpha)
        if sigma_next > 0:
            # abar is alpha^2 / (alpha^2 + sigma^2); both variances are those of x in the frame.
            power, power_next = alpha**2 + sigma**2, alpha_next**2 + sigma_next**2
            posterior = (1 - decay**2) * sigma_next**2
            beta = (1 - decay**2) * sigma**2 / power * power_next
            sigma_up = math.sqrt((1 - variance) * posterior + variance * beta)
            x.add_(noise(sigma, sigma_next), alpha=sigma_up)
        yield Step(index, sigma_next, x, denoised)
