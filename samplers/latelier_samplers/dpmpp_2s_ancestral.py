"""DPM-Solver++(2S) (Lu et al., arXiv:2211.01095, Algorithm 1) with ancestral noise."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.ancestral import ancestral, renoised


def dpmpp_2s_ancestral(
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
    """Yield steps of Algorithm 1 to a sigma below that of the grid; noise leads up to it.

    Two calls of `denoise` each, the second half way down in log(alpha / sigma). There is no half
    way to sigma 0 or from pure noise, so such a step takes the first estimate. With eta 0 it is
    DPM-Solver++(2S). k-diffusion's `sample_dpmpp_2s_ancestral` is this in the 've' frame.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        down, fresh = ancestral(grid, sigma, to, eta)
        denoised = denoise(x, sigma)
        middle = (grid.log_snr(sigma) + grid.log_snr(down)) / 2
        if math.isfinite(middle):
            half = frames.sigma_at(grid.frame, middle)
            keep = half / sigma
            denoised = denoise((x * keep).add_(denoised, alpha=1 - keep), half)
        # alpha_to * (1 - exp(-h)) is 1 - to / sigma in both frames.
        keep = down / sigma
        x = (x * keep).add_(denoised, alpha=1 - keep)
        if fresh * to > 0:
            x = renoised(x, grid, down, to, noise(sigma, to))
        yield Step(index, to, x, denoised)
