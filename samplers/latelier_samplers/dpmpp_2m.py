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

    With lambda = log(alpha / sigma), h = lambda_next - lambda and r = h_previous / h, a step is

        D      = x0 + 1 / (2 r) * (x0 - x0_previous)
        x_next = sigma_next / sigma * x - alpha_next * (exp(-h) - 1) * D

    D is x0 alone in the first step and in the last (to sigma 0, h infinite). After a start at pure
    noise, in flow models, h_previous is infinite, and D is x0 once more.
    """
    lambdas = [sigmas.half_log_snr(sigma) for sigma in sigmas]
    x0_previous, h_previous = None, math.inf
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma)
        h = lambdas[index + 1] - lambdas[index]
        if x0_previous is None or sigma_next == 0:
            d = x0
        else:
            d = torch.add(x0, x0 - x0_previous, alpha=h / (2 * h_previous))  # 1 / (2 r)
        ratio = sigma_next / sigma
        # 1 - ratio = -alpha_next * (exp(-h) - 1), for alpha = 1 as for alpha = 1 - sigma
        x = (x * ratio).add_(d, alpha=1 - ratio)
        yield Step(index, sigma_next, x, x0)
        x0_previous, h_previous = x0, h
