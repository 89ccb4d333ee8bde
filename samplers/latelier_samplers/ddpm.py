"""DDPM's ancestral sampling (Ho et al., arXiv:2006.11239, Algorithm 2)."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def ddpm(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
    *,
    noise: Noise,
    variance: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="of the noise of a step: 0: the posterior's, the smaller; 1: beta, the "
            "larger; between them: (1 - variance) * posterior + variance * beta",
        ),
    ] = 0.0,
) -> Iterator[Step]:
    """Yield the steps of Algorithm 2, one call of `denoise` each, first order.

    Each draws from the posterior of x given x0 and the x before (equation 7), except the one to
    sigma 0, which adds no noise. `variance` is the `v_posterior` of the published configurations;
    at 0 this is `ddim` with eta 1. beta is that of x at unit variance, 1 - abar / abar_to, in
    either frame.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma)
        alpha, alpha_to = grid.alpha(sigma), grid.alpha(to)
        # Quotient of the two noise-to-signal ratios; 0 from pure noise, whose own is infinite.
        ratio = to * alpha / (sigma * alpha_to)
        keep = to / sigma * ratio
        x = (x * keep).add_(denoised, alpha=alpha_to - keep * alpha)
        if to > 0:
            # abar is alpha^2 / (alpha^2 + sigma^2); both variances are those of x in the frame.
            posterior = (1 - ratio**2) * to**2
            power, power_to = alpha**2 + sigma**2, alpha_to**2 + to**2
            beta = (1 - ratio**2) * sigma**2 / power * power_to
            std = math.sqrt((1 - variance) * posterior + variance * beta)
            x.add_(noise(sigma, to), alpha=std)
        yield Step(index, to, x, denoised)
