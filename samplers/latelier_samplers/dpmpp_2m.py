"""DPM-Solver++(2M) (Lu et al., arXiv:2211.01095, Algorithm 2)."""

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from latelier.contracts.sampling import Denoise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: SigmaGrid, /) -> Iterator[Step]:
    """Yield the steps of Algorithm 2: one call of `denoise` each, second order.

    A step extrapolates x0 from the last two estimates in lambda = log(alpha / sigma), which changes
    by h. The first step and one to sigma 0 (h infinite) use the newest estimate alone. So does the
    step after pure noise, since the h before it is infinite.
    """
    previous, h_previous = None, math.inf
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoised = denoise(x, sigma)
        h = sigmas.half_log_snr(sigma_next) - sigmas.half_log_snr(sigma)
        if previous is not None and sigma_next > 0:
            x0 = torch.add(denoised, denoised - previous, alpha=h / (2 * h_previous))
        # Algorithm 2's alpha_next * (1 - exp(-h)) is 1 - ratio in both frames.
        ratio = sigma_next / sigma
        x = torch.add(x * ratio, x0, alpha=1 - ratio)
        yield Step(index, sigma_next, x, denoised)
        previous, h_previous = denoised, h
