"""DPM-Solver-2 (Lu et al., arXiv:2206.00927, Algorithm 1) with ancestral noise."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.ancestral import find_sigma_down, renoise


def dpm2_ancestral(
    denoise: Denoise,
    x: Tensor,
    sigmas: SigmaGrid,
    /,
    *,
    noise: Noise,
    eta: Annotated[
        float, Field(ge=0, le=1, description="new noise in each step; 0: none, 1: as in DDPM")
    ] = 1.0,
) -> Iterator[Step]:
    """Yield midpoint steps to sigma_down, below sigma_next, from which noise leads up to it.

    Two calls of `denoise` each, the second half way down in log(sigma); one where sigma_down is 0:
    to sigma 0, and with eta 1 from pure noise. With eta 0 it is `dpm2`. In the 've' frame it is
    k-diffusion's `sample_dpm_2_ancestral`.
    """
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        sigma_down = find_sigma_down(sigmas, sigma, sigma_next, eta)
        denoised = denoise(x, sigma)
        if sigma_down > 0:
            sigma_mid = math.sqrt(sigma * sigma_down)
            ratio = sigma_mid / sigma
            x_mid = (x * ratio).add_(denoised, alpha=1 - ratio)
            denoised = denoise(x_mid, sigma_mid)
            # The midpoint rule: x + (sigma_down - sigma) * (x_mid - x0) / sigma_mid.
            share = (sigma_down - sigma) / sigma_mid
            x = torch.add(x, x_mid, alpha=share).sub_(denoised, alpha=share)
        else:
            x = denoised
        if sigma_down < sigma_next:
            x = renoise(x, sigmas, sigma_down, sigma_next, noise(sigma, sigma_next))
        yield Step(index, sigma_next, x, denoised)
