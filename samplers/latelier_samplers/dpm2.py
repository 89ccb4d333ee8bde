"""DPM-Solver-2 (Lu et al., arXiv:2206.00927, Algorithm 1), also known as Karras' DPM2."""

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from latelier.contracts.sampling import Denoise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def dpm2(denoise: Denoise, x: Tensor, sigmas: SigmaGrid, /) -> Iterator[Step]:
    """Yield the steps of the algorithm: two calls of `denoise` each (one to sigma 0), second order.

    A midpoint rule: the slope dx/dsigma = (x - x0) / sigma of the whole step is that at sigma_mid,
    the mean of log(sigma) between its ends. In the 've' frame this is the published solver with
    r = 1/2, whose midpoint lies at half of the step in log(alpha / sigma). In the 'flow' frame that
    would be infinitely far from pure noise, so log(sigma) is halved there too. `Step.denoised` is
    the estimate of the second call, which is nearer to the image.
    """
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        sigma_mid, x_mid = sigma, x
        if sigma_next > 0:
            sigma_mid = math.sqrt(sigma * sigma_next)
            x_mid = torch.add(x, x - denoised, alpha=(sigma_mid - sigma) / sigma)
            denoised = denoise(x_mid, sigma_mid)
        x = torch.add(x, x_mid - denoised, alpha=(sigma_next - sigma) / sigma_mid)
        yield Step(index, sigma_next, x, denoised)
