"""SDE-DPM-Solver++(2M) (Lu et al., arXiv:2211.01095)."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def dpmpp_2m_sde(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
    *,
    noise: Noise,
    eta: Annotated[
        float, Field(ge=0, description="amount of noise; 0: none, 1: the reverse SDE's")
    ] = 1.0,
    solver_type: Annotated[
        Literal["midpoint", "heun"],
        Field(description="weight of the slope of x0: by the paper, or of its exact integral"),
    ] = "midpoint",
) -> Iterator[Step]:
    """Yield the steps of the multistep solver: one call of `denoise` each.

    x0 is extrapolated from the last two estimates in h, the change of log(alpha / sigma), and
    integrated against exp(-(1 + eta) * h). The first step, one to sigma 0 and that after pure noise
    (h infinite) take the newest estimate as it is. With eta 0 it is `dpmpp_2m`.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    previous, h_previous = x, math.inf
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma)
        h = grid.log_snr(to) - grid.log_snr(sigma)
        z = (1 + eta) * h
        weight = -math.expm1(-z)
        keep = to / sigma * (math.exp(-eta * h) if eta else 1.0)
        slope = 0.0
        if h_previous < math.inf and to > 0:
            slope = (weight / 2 if solver_type == "midpoint" else 1 - weight / z) * h / h_previous
        alpha_to = grid.alpha(to)
        x = (x * keep).add_(denoised, alpha=alpha_to * (weight + slope))
        if slope:
            x.add_(previous, alpha=-alpha_to * slope)
        fresh = math.sqrt(-math.expm1(-2 * eta * h)) if eta else 0.0
        if fresh * to > 0:
            x.add_(noise(sigma, to), alpha=fresh * to)
        yield Step(index, to, x, denoised)
        previous, h_previous = denoised, h
