"""Heun's method (Karras et al., arXiv:2206.00364, Algorithm 1)."""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid


def heun(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
    *,
    noise: Noise,  # noqa: ARG001
) -> Iterator[Step]:
    """Yield the steps of Algorithm 1: two calls of `denoise` each (one to sigma 0), second order.

    `Step.denoised` is the estimate of the second call, made nearer to the image.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        x, denoised = heun_step(denoise, x, sigma, to)
        yield Step(index, to, x, denoised)


def heun_step(denoise: Denoise, x: Tensor, sigma: float, to: float) -> tuple[Tensor, Tensor]:
    """Return x at `to` by the two slopes of a step (by one to sigma 0), and the newest x0."""
    denoised = denoise(x, sigma)
    keep = to / sigma
    x_to = (x * keep).add_(denoised, alpha=1 - keep)  # x + (to - sigma) * slope
    if to > 0:
        denoised = denoise(x_to, to)
        # x and half a step along each slope; the first half ends between x and x_to
        half = (to - sigma) / (2 * to)
        x_to = torch.lerp(x, x_to, 0.5).add_(x_to - denoised, alpha=half)
    return x_to, denoised
