"""EDM's stochastic sampler (Karras et al., arXiv:2206.00364, Algorithm 2)."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

from pydantic import Field
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.ancestral import renoise
from latelier_samplers.heun import heun_step


def edm_stochastic(
    denoise: Denoise,
    x: Tensor,
    sigmas: SigmaGrid,
    /,
    *,
    noise: Noise,
    s_churn: Annotated[
        float,
        Field(ge=0, le=1e6, description="amount of noise added in all steps together; 0: none"),
    ] = 40.0,
    s_tmin: Annotated[
        float, Field(ge=0, description="least sigma / alpha at which noise is added")
    ] = 0.05,
    s_tmax: Annotated[
        float, Field(ge=0, description="greatest sigma / alpha at which noise is added")
    ] = 50.0,
    s_noise: Annotated[
        float,
        Field(
            gt=0,
            le=100,
            description="standard deviation of the noise; a little above 1 keeps detail",
        ),
    ] = 1.0,
) -> Iterator[Step]:
    """Yield the steps of Algorithm 2: up to sigma_hat by fresh noise, then down as in `heun`.

    Two calls of `denoise` each (one to sigma 0), the first at sigma_hat, which may lie above the
    first sigma. The defaults are those for ImageNet-64 (Table 5) except s_noise, 1.003 there: it
    widens the distribution of the samples. Noise raises sigma / alpha by the same factor in both
    frames; pure noise is left as it is.
    """
    gamma = min(s_churn / sigmas.steps, math.sqrt(2) - 1)
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        lam, sigma_hat = sigmas.half_log_snr(sigma), sigma
        if gamma > 0 and math.isfinite(lam) and s_tmin <= math.exp(-lam) <= s_tmax:
            sigma_hat = frames.sigma_at(sigmas.frame, lam - math.log1p(gamma))
            x = renoise(x, sigmas, sigma, sigma_hat, noise(sigma, sigma_hat), s_noise)
        x, denoised = heun_step(denoise, x, sigma_hat, sigma_next)
        yield Step(index, sigma_next, x, denoised)
