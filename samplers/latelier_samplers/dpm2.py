"""DPM-Solver-2 (Lu et al., arXiv:2206.00927, Algorithm 1), also known as Karras' DPM2."""

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def dpm2(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
    *,
    noise: Noise,  # noqa: ARG001
) -> Iterator[Step]:
    """Yield the steps of the algorithm: two calls of `denoise` each (one to sigma 0), second order.

    A midpoint rule: the slope dx/dsigma = (x - x0) / sigma of the whole step is that at the mean of
    log(sigma) between its ends. In the 've' frame this is the published solver with r = 1/2, whose
    midpoint lies at half of the step in log(alpha / sigma). In the 'flow' frame that would be
    infinitely far from pure noise; there too it is log(sigma) that is halved. `Step.denoised` is
    the estimate of the second call, made nearer to the image.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma)
        at, x_at = sigma, x
        if to > 0:
            at = math.sqrt(sigma * to)
            x_at = torch.add(x, x - denoised, alpha=(at - sigma) / sigma)
            denoised = denoise(x_at, at)
        x = torch.add(x, x_at - denoised, alpha=(to - sigma) / at)
        yield Step(index, to, x, denoised)
