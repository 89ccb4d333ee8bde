"""Euler's method (Karras et al., arXiv:2206.00364, section 3)."""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from latelier.contracts.sampling import Denoise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def euler(denoise: Denoise, x: Tensor, sigmas: SigmaGrid, /) -> Iterator[Step]:
    """Yield Euler's steps on dx/dsigma = (x - x0) / sigma: one call of `denoise` each, first order.

    x + (sigma_next - sigma) * (x - x0) / sigma lies on the line from x0 to x.
    """
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        x = torch.lerp(denoised, x, sigma_next / sigma)
        yield Step(index, sigma_next, x, denoised)
