"""SDE-DPM-Solver++ with two calls a step (after Lu et al., arXiv:2211.01095)."""

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


def dpmpp_sde(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
    *,
    noise: Noise,
    eta: Annotated[
        float, Field(ge=0, le=1, description="share of fresh noise; 0: none, 1: the reverse SDE's")
    ] = 1.0,
    r: Annotated[
        float, Field(gt=0, lt=1, description="where in the step the second call is made")
    ] = 0.5,
) -> Iterator[Step]:
    """Yield steps that take x0 from two calls of `denoise`, the second at r of the step.

    The step is measured in log(alpha / sigma), and x0 is extrapolated to its middle. There is no
    such point on the way to sigma 0 or from pure noise, so such a step takes the first estimate.

    The noise of a step contains that of its part: with eta 1, x / sigma^2 (at alpha 1) is a
    Brownian motion in alpha^2 / sigma^2, and the two increments weigh what they cover of it.
    k-diffusion's `sample_dpmpp_sde` is this with noise that is Brownian in sigma.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        x0 = denoised = denoise(x, sigma)
        at = grid.log_snr(sigma)
        h = grid.log_snr(to) - at
        eps = None
        if math.isfinite(h):
            half = frames.sigma_at(grid.frame, at + r * h)
            eps_half = noise(sigma, half) if eta else None
            denoised = denoise(_moved(x, x0, grid, sigma, half, eta, eps_half), half)
            x0 = torch.lerp(x0, denoised, 1 / (2 * r))
            if eps_half is not None:
                covered = math.expm1(2 * r * h) / math.expm1(2 * h)
                eps = noise(half, to) * math.sqrt(1 - covered)
                eps.add_(eps_half, alpha=math.sqrt(covered))
        elif eta * to > 0:
            eps = noise(sigma, to)
        x = _moved(x, x0, grid, sigma, to, eta, eps)
        yield Step(index, to, x, denoised)


def _moved(
    x: Tensor, x0: Tensor, grid: SigmaGrid, sigma: float, to: float, eta: float, eps: Tensor | None
) -> Tensor:
    """Return the step of `ddim` (arXiv:2010.02502, equation 12) with noise `eps`, if any."""
    fresh = eta * math.sqrt(-math.expm1(-2 * (grid.log_snr(to) - grid.log_snr(sigma))))
    keep = to / sigma * math.sqrt(1 - fresh**2)
    x = (x * keep).add_(x0, alpha=grid.alpha(to) - keep * grid.alpha(sigma))
    return x if eps is None else x.add_(eps, alpha=fresh * to)
