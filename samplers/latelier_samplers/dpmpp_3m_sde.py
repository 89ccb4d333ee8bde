"""DPM-Solver++(3M) SDE: SDE-DPM-Solver++ (Lu et al., arXiv:2211.01095) of third order."""

import math
from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

from pydantic import Field
from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.exponential import exponential_weights


def dpmpp_3m_sde(
    denoise: Denoise,
    x: Tensor,
    sigmas: SigmaGrid,
    /,
    *,
    noise: Noise,
    eta: Annotated[
        float, Field(ge=0, le=100, description="new noise in each step; 0: none, 1: as in the SDE")
    ] = 1.0,
) -> Iterator[Step]:
    """Yield the steps of the multistep solver: one call of `denoise` each.

    A step integrates the parabola in lambda = log(alpha / sigma) through the last three estimates
    of x0 exactly against exp(-(1 + eta) * h). (The second step has a line through two estimates,
    the first has one estimate.) An estimate made at pure noise, infinitely far off, is left out,
    and the step to sigma 0 uses the newest estimate alone.

    It differs from k-diffusion's `sample_dpmpp_3m_sde`, which gives the parabola's quadratic term
    half its weight and so is of second order.
    """
    past: deque[tuple[float, Tensor]] = deque(maxlen=2)
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        lam, alpha_next = sigmas.half_log_snr(sigma), sigmas.alpha(sigma_next)
        h = sigmas.half_log_snr(sigma_next) - lam
        z = (1 + eta) * h
        older = past if sigma_next > 0 else ()
        weights = exponential_weights(z, [(each - lam) / h for each, _ in older])
        ratio = sigma_next / sigma * (math.exp(-eta * h) if eta else 1.0)
        x = (x * ratio).add_(denoised, alpha=alpha_next * (-math.expm1(-z) - sum(weights)))
        for weight, (_, estimate) in zip(weights, older):
            x.add_(estimate, alpha=alpha_next * weight)
        sigma_up = sigma_next * math.sqrt(-math.expm1(-2 * eta * h)) if eta else 0.0
        if sigma_up > 0:
            x.add_(noise(sigma, sigma_next), alpha=sigma_up)
        yield Step(index, sigma_next, x, denoised)
        if math.isfinite(lam):
            past.appendleft((lam, denoised))
