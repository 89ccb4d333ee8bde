"""Heun's method (Karras et al., arXiv:2206.00364, Algorithm 1)."""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from latelier.contracts.sampling import Denoise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def heun(denoise: Denoise, x: Tensor, sigmas: SigmaGrid, /) -> Iterator[Step]:
    """Yield the steps of Algorithm 1: two calls of `denoise` each (one to sigma 0), second order.

    `Step.denoised` is the estimate of the second call, which is nearer to the image.
    """
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x, denoised = heun_step(denoise, x, sigma, sigma_next)
        yield Step(index, sigma_next, x, denoised)


def heun_step(
    denoise: Denoise, x: Tensor, sigma: float, sigma_next: float
) -> tuple[Tensor, Tensor]:
    """Return x at `sigma_next`, (B, C, h, w), and the newest estimate of x0."""
    denoised = denoise(x, sigma)
    x_next = torch.lerp(denoised, x, sigma_next / sigma)  # x + (sigma_next - sigma) * d_cur
    if sigma_next > 0:
        denoised = denoise(x_next, sigma_next)
        # The same step along d_prime = (x_next - denoised) / sigma_next, and the mean of the two.
        x_prime = torch.add(x, x_next - denoised, alpha=(sigma_next - sigma) / sigma_next)
        x_next = torch.lerp(x_next, x_prime, 0.5)
    return x_next, denoised
