"""DDIM (Song et al., arXiv:2010.02502) and ancestral sampling."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

from pydantic import Field
from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def ddim(
    denoise: Denoise,
    x: Tensor,
    sigmas: SigmaGrid,
    /,
    *,
    noise: Noise,
    eta: Annotated[
        float, Field(ge=0, le=1, description="new noise in each step; 0: none, 1: as in DDPM")
    ] = 0.0,
) -> Iterator[Step]:
    """Yield the steps of equation (12), one call of `denoise` each, first order.

    A step goes down to sigma_down and back up to sigma_next by fresh noise of standard deviation
    sigma_up. With eta 0 it is that of `euler`. With eta 1 it is 'euler_ancestral', and 'ddpm' at
    its defaults (see there for DDPM's larger variances).
    """
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        alpha, alpha_next = sigmas.alpha(sigma), sigmas.alpha(sigma_next)
        # The quotient of the noise-to-signal ratios, exp(-h): 0 from pure noise.
        decay = sigma_next * alpha / (sigma * alpha_next)
        sigma_up = sigma_next * eta * math.sqrt(1 - decay**2)
        sigma_down = math.sqrt(sigma_next**2 - sigma_up**2)
        ratio = sigma_down / sigma
        x = (x * ratio).add_(denoised, alpha=alpha_next - ratio * alpha)
        if sigma_up > 0:
            x.add_(noise(sigma, sigma_next), alpha=sigma_up)
        yield Step(index, sigma_next, x, denoised)
