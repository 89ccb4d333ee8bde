"""Adaptive projected guidance (Sadat et al., arXiv:2410.02416)."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.condition import Condition
from latelier.contracts.sampling import Denoise, Predict
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.guidance.cfg import Scale
from latelier.diffusion.guidance.options import (
    Interval,
    Rescale,
    Threshold,
    apply_options,
    denoise_under,
    is_at,
)
from latelier.diffusion.guidance.unconditional import make_unconditional


def apg(
    predict: Predict,
    condition: Condition,
    null: Condition,
    sigmas: SigmaGrid,
    /,
    *,
    scale: Scale = 10.0,
    eta: Annotated[
        float,
        Field(
            ge=0,
            le=1e4,
            description="how much of the harsh colours stays; 1: all. The factor of the part "
            "along x0",
        ),
    ] = 0.0,
    norm_threshold: Annotated[
        float | None,
        Field(
            gt=0,
            le=1e6,
            description="bound of what guidance changes in a step: the norm of the difference of "
            "an image; None: any",
        ),
    ] = 15.0,
    momentum: Annotated[
        float,
        Field(
            gt=-1,
            lt=1,
            description="weight of what guidance did in earlier steps; below 0: away from it",
        ),
    ] = -0.5,
    interval: Interval = None,
    rescale: Rescale = 0.0,
    threshold: Threshold = None,
) -> Denoise:
    """Return x0 + (scale - 1) * the difference x0 - x0_null, averaged and projected (Algorithm 1).

    The difference is averaged with earlier ones, its norm is limited, and its component along x0 is
    multiplied by `eta`. With eta 1, no momentum and no norm threshold it is classifier-free
    guidance. Every call of `denoise` counts: samplers with two calls a step average over two.
    The average starts again at the first sigma of the run.

    Raises:
        CompatibilityError: the model has no null condition.
    """
    conditional = denoise_under(predict, condition)
    if scale == 1:
        return conditional
    unconditional = make_unconditional("apg", condition, null)
    average: Tensor | None = None

    def estimate(x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
        nonlocal average
        x0, x0_null = predict(x, sigma, [condition, unconditional])
        difference = x0 - x0_null
        if average is not None and not is_at(sigma, sigmas[0]):
            difference = difference + momentum * average
        average = difference
        return x0, x0 + (scale - 1) * _project(difference, x0, eta, norm_threshold)

    return apply_options(
        conditional, estimate, sigmas, interval=interval, rescale=rescale, threshold=threshold
    )


def _project(difference: Tensor, x0: Tensor, eta: float, norm_threshold: float | None) -> Tensor:
    """Return the difference (B, C, h, w) with a limited norm, its part along x0 times `eta`."""
    dims = tuple(range(1, x0.ndim))
    if norm_threshold is not None:
        norm = torch.linalg.vector_norm(difference, dim=dims, keepdim=True)
        difference = difference * (norm_threshold / norm).clamp(max=1)
    length = torch.linalg.vector_norm(x0, dim=dims, keepdim=True)
    direction = x0 / length.clamp(min=torch.finfo(x0.dtype).tiny)
    along = (difference * direction).sum(dims, keepdim=True) * direction
    return difference + (eta - 1) * along
