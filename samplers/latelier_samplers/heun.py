"""Heun's method (Karras et al., arXiv:2206.00364, Algorithm 1)."""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from latelier.kernel.contracts import Denoise, Grid, Noise, Step


def heun(
    denoise: Denoise,
    x: Tensor,
    grid: Grid,
    /,
    *,
    noise: Noise,  # noqa: ARG001
) -> Iterator[Step]:
    """Yield the steps of Algorithm 1: two calls of `denoise` each (one to sigma 0), second order.

    `Step.denoised` is the estimate of the second call, made nearer to the image.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma)
        slope = (x - denoised) / sigma
        x_to = torch.add(x, slope, alpha=to - sigma)
        if to > 0:
            denoised = denoise(x_to, to)
            slope_to = (x_to - denoised) / to
            x_to = torch.add(x, slope + slope_to, alpha=(to - sigma) / 2)
        x = x_to
        yield Step(index, to, x, denoised)
