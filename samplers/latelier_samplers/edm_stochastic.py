"""EDM's stochastic sampler (Karras et al., arXiv:2206.00364, Algorithm 2)."""

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
from latelier_samplers.ancestral import renoised
from latelier_samplers.heun import heun_step


def edm_stochastic(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
    *,
    noise: Noise,
    s_churn: Annotated[
        float, Field(ge=0, description="amount of noise added in all steps together; 0: none")
    ] = 40.0,
    s_tmin: Annotated[
        float, Field(ge=0, description="least sigma / alpha at which noise is added")
    ] = 0.05,
    s_tmax: Annotated[
        float, Field(ge=0, description="greatest sigma / alpha at which noise is added")
    ] = 50.0,
    s_noise: Annotated[
        float,
        Field(gt=0, description="standard deviation of the noise; a little above 1 keeps detail"),
    ] = 1.0,
) -> Iterator[Step]:
    """Yield the steps of Algorithm 2: up by fresh noise, and then down as in `heun`.

    Two calls of `denoise` each (one to sigma 0), the first at the raised sigma, which may be above
    the grid's. The defaults are those for ImageNet-64 (Table 5), but for s_noise, 1.003 there: it
    widens what is sampled. Noise raises sigma / alpha by the same factor in both frames; pure noise
    takes no more of it.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    gamma = min(s_churn / grid.steps, math.sqrt(2) - 1)
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        log_snr, hat = grid.log_snr(sigma), sigma
        if gamma > 0 and s_tmin <= math.exp(-log_snr) <= s_tmax and math.isfinite(log_snr):
            hat = frames.sigma_at(grid.frame, log_snr - math.log1p(gamma))
            x = renoised(x, grid, sigma, hat, noise(sigma, hat), s_noise)
        x, denoised = heun_step(denoise, x, hat, to)
        yield Step(index, to, x, denoised)
