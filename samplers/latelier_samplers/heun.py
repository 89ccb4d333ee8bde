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
    """Return x at `sigma_next`, (B, C, h, w), and the latest estimate of x0.

    With dt = sigma_next - sigma and the slopes (x - x0) / sigma, d_cur at the start of the step and
    d_prime at its end, x_next = x + dt * (d_cur + d_prime) / 2: the mean of a step along each.
    """
    denoised, dt = denoise(x, sigma), sigma_next - sigma
    x_euler = torch.lerp(denoised, x, sigma_next / sigma)  # x + dt * d_cur
    if sigma_next == 0:
        return x_euler, denoised
    denoised = denoise(x_euler, sigma_next)
    x_prime = torch.add(x, x_euler - denoised, alpha=dt / sigma_next)  # x + dt * d_prime
    return torch.lerp(x_euler, x_prime, 0.5), denoised
