"""DPM-Solver++(2S) (Lu et al., arXiv:2211.01095, Algorithm 1) with ancestral noise."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

from pydantic import Field
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.ancestral import find_sigma_down, renoise


def dpmpp_2s_ancestral(
    denoise: Denoise,
    x: Tensor,
    sigmas: SigmaGrid,
    /,
    *,
    noise: Noise,
    eta: Annotated[
        float, Field(ge=0, le=1, description="new noise in each step; 0: none, 1: as in DDPM")
    ] = 1.0,
) -> Iterator[Step]:
    """Yield steps of Algorithm 1 to sigma_down, below sigma_next; noise leads up to it.

    Two calls of `denoise` each, the second half way down in log(alpha / sigma). Such a midpoint
    does not exist on the way to sigma 0 or from pure noise, so these steps use the first estimate.
    With eta 0 it is DPM-Solver++(2S). In the 've' frame it is k-diffusion's
    `sample_dpmpp_2s_ancestral`.
    """
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        sigma_down = find_sigma_down(sigmas, sigma, sigma_next, eta)
        denoised = denoise(x, sigma)
        lam_mid = (sigmas.half_log_snr(sigma) + sigmas.half_log_snr(sigma_down)) / 2
        if math.isfinite(lam_mid):
            sigma_mid = frames.sigma_at(sigmas.frame, lam_mid)
            ratio = sigma_mid / sigma
            x_mid = (x * ratio).add_(denoised, alpha=1 - ratio)
            denoised = denoise(x_mid, sigma_mid)
        # Algorithm 1's alpha_down * (1 - exp(-h)) is 1 - ratio in both frames.
        ratio = sigma_down / sigma
        x = (x * ratio).add_(denoised, alpha=1 - ratio)
        if sigma_down < sigma_next:
            x = renoise(x, sigmas, sigma_down, sigma_next, noise(sigma, sigma_next))
        yield Step(index, sigma_next, x, denoised)
