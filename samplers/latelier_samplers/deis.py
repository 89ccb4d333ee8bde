"""DEIS (Zhang and Chen, arXiv:2204.13902): exponential Adams-Bashforth steps for eps."""

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


def deis(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
    *,
    noise: Noise,  # noqa: ARG001
    order: Annotated[
        int, Field(ge=1, le=3, description="of the polynomial through the last eps, plus 1")
    ] = 2,
) -> Iterator[Step]:
    """Yield the steps of tAB-DEIS: one call of `denoise` each.

    A step integrates the polynomial through the last `order` estimates of eps exactly, the time
    that it is one of being log(sigma / alpha), as in diffusers (a grid knows no t of its process).
    The first steps have fewer estimates: the first is DDIM's, and the whole is of second order with
    any `order` above 1; 3 is better unguided and from some 12 steps on. A step to sigma 0, where
    that time is infinite, is DDIM's too. The eps of pure noise is x itself and no estimate, so it
    is not used again.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    past: deque[tuple[float, Tensor]] = deque(maxlen=order)
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma)
        log_snr, alpha, keep = grid.log_snr(sigma), grid.alpha(sigma), to / sigma
        if alpha > 0:
            past.appendleft((log_snr, torch.add(x, denoised, alpha=-alpha).div_(sigma)))
        x = (x * keep).add_(denoised, alpha=grid.alpha(to) - keep * alpha)
        if len(past) > 1 and to > 0:
            h = grid.log_snr(to) - log_snr
            (_, newest), *older = past
            others = weights(-h, [(each - log_snr) / h for each, _ in older])
            x.add_(newest, alpha=-to * sum(others))
            for weight, (_, eps) in zip(others, older):
                x.add_(eps, alpha=to * weight)
        yield Step(index, to, x, denoised)
