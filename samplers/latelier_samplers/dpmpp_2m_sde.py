"""SDE-DPM-Solver++(2M) (Lu et al., arXiv:2211.01095)."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def dpmpp_2m_sde(
    denoise: Denoise,
    x: Tensor,
    sigmas: SigmaGrid,
    /,
    *,
    noise: Noise,
    eta: Annotated[
        float, Field(ge=0, le=100, description="new noise in each step; 0: none, 1: as in the SDE")
    ] = 1.0,
    solver_type: Annotated[
        Literal["midpoint", "heun"],
        Field(
            description="second-order term: the paper's (midpoint), or integrated exactly (heun)"
        ),
    ] = "midpoint",
) -> Iterator[Step]:
    """Yield the steps of the multistep solver: one call of `denoise` each.

    With h and r of `dpmpp_2m`, z = (1 + eta) * h and w = 1 - exp(-z), a step is

        x_next = sigma_next / sigma * exp(-eta * h) * x + alpha_next * (w * x0 + D)
                 + sigma_next * sqrt(1 - exp(-2 * eta * h)) * noise

    where D is (x0 - x0_previous) / r times w / 2 (midpoint) or 1 - w / z (heun), and 0 in the first
    step, in one to sigma 0 and in the one after pure noise (r infinite). With eta 0 it is
    `dpmpp_2m`.
    """
    x0_previous, h_previous = x, math.inf
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma)
        h = sigmas.half_log_snr(sigma_next) - sigmas.half_log_snr(sigma)
        z = (1 + eta) * h
        w = -math.expm1(-z)
        slope = 0.0
        if h_previous < math.inf and sigma_next > 0:
            slope = (w / 2 if solver_type == "midpoint" else 1 - w / z) * h / h_previous
        alpha_next = sigmas.alpha(sigma_next)
        ratio = sigma_next / sigma * (math.exp(-eta * h) if eta else 1.0)
        x = (x * ratio).add_(x0, alpha=alpha_next * (w + slope))
        if slope:
            x.add_(x0_previous, alpha=-alpha_next * slope)
        sigma_up = sigma_next * math.sqrt(-math.expm1(-2 * eta * h)) if eta else 0.0
        if sigma_up > 0:
            x.add_(noise(sigma, sigma_next), alpha=sigma_up)
        yield Step(index, sigma_next, x, x0)
        x0_previous, h_previous = x0, h
