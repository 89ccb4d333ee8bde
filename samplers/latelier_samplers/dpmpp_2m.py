"""DPM-Solver++(2M) (Lu et al., arXiv:2211.01095, Algorithm 2)."""

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def dpmpp_2m(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
    *,
    noise: Noise,  # noqa: ARG001
) -> Iterator[Step]:
    """Yield the steps of Algorithm 2: one call of `denoise` each, second order.

    x0 is extrapolated from the last two estimates in h, the change of log(alpha / sigma). The first
    step and one to sigma 0 (h infinite) take the newest estimate as it is, and so in effect does
    the step after pure noise: there the h before is infinite.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    previous, h_previous = None, math.inf
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma)
        h = grid.log_snr(to) - grid.log_snr(sigma)
        x0 = denoised
        if previous is not None and to > 0:
            x0 = torch.add(denoised, denoised - previous, alpha=h / (2 * h_previous))
        # alpha_to * (1 - exp(-h)) is 1 - to / sigma in both frames.
        keep = to / sigma
        x = (x * keep).add_(x0, alpha=1 - keep)
        yield Step(index, to, x, denoised)
        previous, h_previous = denoised, h
