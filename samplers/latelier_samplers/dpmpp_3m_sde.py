"""DPM-Solver++(3M) SDE: SDE-DPM-Solver++ (Lu et al., arXiv:2211.01095) of third order."""

import math
from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.exponential import weights


def dpmpp_3m_sde(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
    *,
    noise: Noise,
    eta: Annotated[
        float, Field(ge=0, description="amount of noise; 0: none, 1: the reverse SDE's")
    ] = 1.0,
) -> Iterator[Step]:
    """Yield the steps of the multistep solver: one call of `denoise` each.

    x0 is taken as the parabola in log(alpha / sigma) through the last three estimates (a line
    through two in the second step, the one there is in the first) and integrated exactly against
    exp(-(1 + eta) * h). An estimate made at pure noise, infinitely far off, is in no such curve,
    and the step to sigma 0 takes the newest estimate as it is.

    Not as in k-diffusion's `sample_dpmpp_3m_sde`, which gives the parabola's quadratic term half
    its weight and so is of second order.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    past: deque[tuple[float, Tensor]] = deque(maxlen=2)
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma)
        at, alpha_to = grid.log_snr(sigma), grid.alpha(to)
        h = grid.log_snr(to) - at
        z = (1 + eta) * h
        known = past if to > 0 else ()
        others = weights(z, [(u - at) / h for u, _ in known])
        keep = to / sigma * (math.exp(-eta * h) if eta else 1.0)
        x = (x * keep).add_(denoised, alpha=alpha_to * (-math.expm1(-z) - sum(others)))
        for weight, (_, estimate) in zip(others, known):
            x.add_(estimate, alpha=alpha_to * weight)
        fresh = math.sqrt(-math.expm1(-2 * eta * h)) if eta else 0.0
        if fresh * to > 0:
            x.add_(noise(sigma, to), alpha=fresh * to)
        yield Step(index, to, x, denoised)
        if math.isfinite(at):
            past.appendleft((at, denoised))
