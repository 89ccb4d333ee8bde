"""Adaptive projected guidance (Sadat et al., arXiv:2410.02416)."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.condition import Condition
from latelier.contracts.sampling import Denoise, Predict
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.guidance.branches import unconditional
from latelier.diffusion.guidance.cfg import Scale
from latelier.diffusion.guidance.options import (
    Interval,
    Rescale,
    Threshold,
    conditional,
    guided,
    is_at,
)


def apg(
    predict: Predict,
    condition: Condition,
    null: Condition,
    grid: SigmaGrid,
    /,
    *,
    scale: Scale = 10.0,
    eta: Annotated[
        float,
        Field(ge=0, description="share of the part along x0, which oversaturates; 1: all of it"),
    ] = 0.0,
    norm_threshold: Annotated[
        float | None,
        Field(gt=0, description="longest that the guidance of an image may be; None: any"),
    ] = 15.0,
    momentum: Annotated[
        float,
        Field(gt=-1, lt=1, description="of the guidance before in the next; below 0: away from it"),
    ] = -0.5,
    interval: Interval = None,
    rescale: Rescale = 0.0,
    threshold: Threshold = None,
) -> Denoise:
    """Return x0 + (scale - 1) * the difference to x0_null, tamed (Algorithm 1).

    The difference is averaged with those before it, cut to a length and, of what lies along x0,
    left with a share `eta`. With eta 1, no momentum and no threshold it is classifier-free
    guidance. "Before" means before in calls of `denoise`: samplers with two calls a step count two.
    The average begins anew at the first sigma of the grid.

    Raises:
        CompatibilityError: the model has no null condition.
    """
    if scale == 1:
        return conditional(predict, condition)
    other = unconditional("apg", condition, null)
    average: Tensor | None = None

    def estimates(x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
        nonlocal average
        x0, x0_null = predict(x, sigma, [condition, other])
        difference = x0 - x0_null
        if average is not None and not is_at(sigma, grid.sigmas[0]):
            difference = difference + momentum * average
        average = difference
        return x0, x0 + (scale - 1) * _projected(difference, x0, eta, norm_threshold)

    return guided(predict, condition, grid, estimates, interval, rescale, threshold)


def _projected(difference: Tensor, x0: Tensor, eta: float, longest: float | None) -> Tensor:
    """Return the difference (B, C, h, w), each image's cut to a length, less along x0."""
    dims = tuple(range(1, x0.ndim))
    if longest is not None:
        norm = torch.linalg.vector_norm(difference, dim=dims, keepdim=True)
        difference = difference * (longest / norm).clamp(max=1)
    length = torch.linalg.vector_norm(x0, dim=dims, keepdim=True)
    direction = x0 / length.clamp(min=torch.finfo(x0.dtype).tiny)
    along = (difference * direction).sum(dims, keepdim=True) * direction
    projected: Tensor = difference + (eta - 1) * along
    return projected
