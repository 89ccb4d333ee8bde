"""DDIM (Song et al., arXiv:2010.02502), which has several names."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def ddim(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
    *,
    noise: Noise,
    eta: Annotated[
        float, Field(ge=0, le=1, description="share of fresh noise; 0: none, 1: as in DDPM")
    ] = 0.0,
) -> Iterator[Step]:
    """Yield the steps of equation (12), one call of `denoise` each, first order.

    With eta 0 this is Euler's method on dx/dsigma = (x - x0) / sigma ('euler'); with eta 1 it is
    'euler_ancestral', and what 'ddpm' is by default (see there for its larger variances).
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma)
        alpha, alpha_to = grid.alpha(sigma), grid.alpha(to)
        # Quotient of the two noise-to-signal ratios; 0 from pure noise, whose own is infinite.
        ratio = to * alpha / (sigma * alpha_to)
        fresh = eta * math.sqrt(1 - ratio**2)
        keep = to / sigma * math.sqrt(1 - fresh**2)
        x = (x * keep).add_(denoised, alpha=alpha_to - keep * alpha)
        if fresh * to > 0:
            x.add_(noise(sigma, to), alpha=fresh * to)
        yield Step(index, to, x, denoised)
