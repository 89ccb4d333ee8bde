"""DDIM backwards, from an image to the noise it comes from (Song et al., arXiv:2010.02502)."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.kernel.contracts import Denoise, Grid, Noise, Step


def ddim_inversion(
    denoise: Denoise,
    x: Tensor,
    grid: Grid,
    /,
    *,
    noise: Noise | None = None,  # noqa: ARG001
    refinements: Annotated[
        int, Field(ge=0, le=20, description="further calls of the model in each step")
    ] = 0,
) -> Iterator[Step]:
    """Yield the steps from x at the last sigma of the grid (an image) up to the first (noise).

    A step backwards from sigma to the higher `to` solves x_to = x + (to - sigma) * slope(x_to, to),
    slope = (x_to - x0) / to, of which DDIM's step from `to` to sigma is the other way to read it.
    One call of `denoise` takes for the x_to on the right the x at hand, at the variance of x_to
    (so that the model sees at `to` just what it would at sigma): first order. Each refinement calls
    once more, at the x_to found before, which brings 'ddim' on the same grid, with the same
    condition, nearer to the image (Pan et al., arXiv:2309.04907); it needs the model to change
    little with x. With guidance it mostly does not: invert with guidance 1.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas[::-1])):
        scale = math.hypot(grid.alpha(to), to) / math.hypot(grid.alpha(sigma), sigma)
        x_to, denoised = x * scale, x
        for _ in range(1 + refinements):
            denoised = denoise(x_to, to)
            x_to = torch.add(x, x_to - denoised, alpha=(to - sigma) / to)
        x = x_to
        yield Step(index, to, x, denoised)
