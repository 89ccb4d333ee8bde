"""Heun's method (Karras et al., arXiv:2206.00364, Algorithm 1)."""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from latelier.contracts.sampling import Denoise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def heun(denoise: Denoise, x: Tensor, sigmas: SigmaGrid, /) -> Iterator[Step]:
    """Yield the steps of Algorithm 1, of second order, with two calls of `denoise` each.

    The step to sigma 0 is Euler's, with one call. `Step.denoised` is the latest estimate of x0.
    `edm_stochastic` adds the noise of Algorithm 2.
    """
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x, denoised = heun_step(denoise, x, sigma, sigma_next)
        yield Step(index, sigma_next, x, denoised)


def heun_step(
    denoise: Denoise, x: Tensor, sigma: float, sigma_next: float
) -> tuple[Tensor, Tensor]:
    """Return x at `sigma_next`, (B, C, h, w), and the latest estimate of x0."""
    denoised, dt = denoise(x, sigma), sigma_next - sigma
    d_cur = (x - denoised) / sigma
    x_next = torch.add(x, d_cur, alpha=dt)  # Euler
    if sigma_next > 0:
        denoised = denoise(x_next, sigma_next)
        d_prime = (x_next - denoised) / sigma_next
        x_next = torch.add(x, d_cur + d_prime, alpha=dt / 2)  # the mean of both slopes
    return x_next, denoised
