"""DPM-Solver++(2M) (Lu et al., arXiv:2211.01095, Algorithm 2)."""

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from latelier.contracts.sampling import Denoise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: SigmaGrid, /) -> Iterator[Step]:
    """Yield the steps of Algorithm 2: second order, one call of `denoise` each.

    Each step extrapolates the estimates of x0 linearly in lambda = log(alpha / sigma); h is its
    length in lambda, and h_previous / h is the r of the paper. Three steps use the current estimate
    alone: the first, the last (to sigma 0, where h is infinite), and the one after pure noise,
    since the h before it is infinite.
    """
    previous, h_previous = None, math.inf
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        extrapolated = denoised = denoise(x, sigma)
        h = sigmas.half_log_snr(sigma_next) - sigmas.half_log_snr(sigma)
        if previous is not None and sigma_next > 0:
            # D of Algorithm 2: (1 + 1 / (2 r)) * denoised - 1 / (2 r) * previous
            extrapolated = torch.add(denoised, denoised - previous, alpha=h / (2 * h_previous))
        # sigma_next / sigma * x + alpha_next * (1 - exp(-h)) * D, where for alpha = 1 and for
        # alpha = 1 - sigma the second factor is 1 - sigma_next / sigma
        ratio = sigma_next / sigma
        x = torch.add(x * ratio, extrapolated, alpha=1 - ratio)
        yield Step(index, sigma_next, x, denoised)
        previous, h_previous = denoised, h
