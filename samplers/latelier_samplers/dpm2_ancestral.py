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
from latelier_samplers.ancestral import ancestral, renoised


def dpm2_ancestral(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
    *,
    noise: Noise,
    eta: Annotated[
        float, Field(ge=0, le=1, description="share of fresh noise; 0: none, 1: as in DDPM")
    ] = 1.0,
) -> Iterator[Step]:
    """Yield midpoint steps to a sigma below that of the grid, from which noise leads up to it.

    Two calls of `denoise` each, the second half way down in log(sigma); one where that way ends at
    0: to sigma 0, and with eta 1 from pure noise. With eta 0 it is `dpm2`. In the 've' frame it is
    k-diffusion's `sample_dpm_2_ancestral`.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        down, fresh = ancestral(grid, sigma, to, eta)
        denoised = denoise(x, sigma)
        # Either way along the slope (x - x0) / sigma, here at sigma and then at half.
        if down > 0:
            half = math.sqrt(sigma * down)
            x_half = (x * (half / sigma)).add_(denoised, alpha=1 - half / sigma)
            denoised = denoise(x_half, half)
            share = (down - sigma) / half
            x = torch.add(x, x_half, alpha=share).sub_(denoised, alpha=share)
        else:
            x = denoised.to(x.dtype)
        if fresh * to > 0:
            x = renoised(x, grid, down, to, noise(sigma, to))
        yield Step(index, to, x, denoised)
