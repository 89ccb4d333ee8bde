"""Euler's method (Karras et al., arXiv:2206.00364, section 3)."""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from latelier.contracts.sampling import Denoise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def euler(denoise: Denoise, x: Tensor, sigmas: SigmaGrid, /) -> Iterator[Step]:
    """Yield Euler's steps on dx/dsigma = (x - x0) / sigma, of first order.

    The step x + (sigma_next - sigma) * (x - x0) / sigma is the interpolation
    x0 + (sigma_next / sigma) * (x - x0). Stochastic variants: `ddim`, `edm_stochastic`.
    """
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma)
        x = torch.lerp(x0, x, sigma_next / sigma)
        yield Step(index, sigma_next, x, x0)
