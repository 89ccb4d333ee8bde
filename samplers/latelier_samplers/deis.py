"""DEIS (Zhang and Chen, arXiv:2204.13902): exponential Adams-Bashforth steps for eps."""

from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.sampling import Denoise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.exponential import exponential_weights


def deis(
    denoise: Denoise,
    x: Tensor,
    sigmas: SigmaGrid,
    /,
    *,
    order: Annotated[
        int, Field(ge=1, le=3, description="earlier steps that are used: their eps")
    ] = 2,
) -> Iterator[Step]:
    """Yield the steps of tAB-DEIS: one call of `denoise` each.

    A step integrates the polynomial through the last `order` estimates of eps exactly, as a
    function of log(sigma / alpha), as in diffusers (sigmas do not tell the t of their process).
    The first steps have fewer estimates: the first is DDIM's, and the run is of second order with
    any `order` above 1; 3 is better without guidance and from some 12 steps on. A step to sigma 0,
    where the logarithm is infinite, is DDIM's too. The eps of pure noise is x itself and no
    estimate, so it is left out.
    """
    past: deque[tuple[float, Tensor]] = deque(maxlen=order)
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        lam, alpha, ratio = sigmas.half_log_snr(sigma), sigmas.alpha(sigma), sigma_next / sigma
        if alpha > 0:
            past.appendleft((lam, torch.add(x, denoised, alpha=-alpha) / sigma))
        x = (x * ratio).add_(denoised, alpha=sigmas.alpha(sigma_next) - ratio * alpha)
        if len(past) > 1 and sigma_next > 0:
            h = sigmas.half_log_snr(sigma_next) - lam
            (_, newest), *older = past
            weights = exponential_weights(-h, [(each - lam) / h for each, _ in older])
            x.add_(newest, alpha=-sigma_next * sum(weights))
            for weight, (_, eps) in zip(weights, older):
                x.add_(eps, alpha=sigma_next * weight)
        yield Step(index, sigma_next, x, denoised)
