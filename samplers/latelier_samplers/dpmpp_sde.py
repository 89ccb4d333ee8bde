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
    sigmas: SigmaGrid,
    /,
    *,
    noise: Noise,
    eta: Annotated[
        float, Field(ge=0, le=1, description="new noise in each step; 0: none, 1: as in the SDE")
    ] = 1.0,
    r: Annotated[
        float, Field(gt=0, lt=1, description="where in the step the second call is made")
    ] = 0.5,
) -> Iterator[Step]:
    """Yield steps that take x0 from two calls of `denoise`, the second at r of the step.

    The step is measured in log(alpha / sigma), and x0 is extrapolated to its middle. Such a point
    does not exist on the way to sigma 0 or from pure noise, so these steps use the first estimate.

    The noise of a step contains that of its part: with eta 1, x / sigma^2 (at alpha 1) is a
    Brownian motion in alpha^2 / sigma^2, and the two increments weigh what they cover of it.
    k-diffusion's `sample_dpmpp_sde` is this with noise that is Brownian in sigma.
    """
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoised = denoise(x, sigma)
        lam = sigmas.half_log_snr(sigma)
        h = sigmas.half_log_snr(sigma_next) - lam
        eps = None
        if math.isfinite(h):
            sigma_mid = frames.sigma_at(sigmas.frame, lam + r * h)
            eps_mid = noise(sigma, sigma_mid) if eta else None
            x_mid = _ddim_step(x, x0, sigmas, (sigma, sigma_mid), eta, eps_mid)
            denoised = denoise(x_mid, sigma_mid)
            x0 = torch.lerp(x0, denoised, 1 / (2 * r))
            if eps_mid is not None:
                covered = math.expm1(2 * r * h) / math.expm1(2 * h)
                eps = noise(sigma_mid, sigma_next) * math.sqrt(1 - covered)
                eps.add_(eps_mid, alpha=math.sqrt(covered))
        elif eta * sigma_next > 0:
            eps = noise(sigma, sigma_next)
        x = _ddim_step(x, x0, sigmas, (sigma, sigma_next), eta, eps)
        yield Step(index, sigma_next, x, denoised)


def _ddim_step(
    x: Tensor,
    x0: Tensor,
    sigmas: SigmaGrid,
    ends: tuple[float, float],
    eta: float,
    eps: Tensor | None,
) -> Tensor:
    """Return x at the second of `ends` by a step of `ddim` with the noise `eps`, if any."""
    sigma, sigma_next = ends
    h = sigmas.half_log_snr(sigma_next) - sigmas.half_log_snr(sigma)
    fresh = eta * math.sqrt(-math.expm1(-2 * h))
    ratio = sigma_next / sigma * math.sqrt(1 - fresh**2)
    x = (x * ratio).add_(x0, alpha=sigmas.alpha(sigma_next) - ratio * sigmas.alpha(sigma))
    return x if eps is None else x.add_(eps, alpha=fresh * sigma_next)
