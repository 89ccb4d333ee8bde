"""Classifier-free guidance (Ho and Salimans, arXiv:2207.12598)."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.condition import Condition
from latelier.contracts.sampling import Denoise, Predict
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.guidance.branches import unconditional
from latelier.diffusion.guidance.options import Interval, Rescale, Threshold, conditional, guided

Scale = Annotated[float, Field(ge=0, description="1: the condition alone, at half the cost")]


def cfg(
    predict: Predict,
    condition: Condition,
    null: Condition,
    grid: SigmaGrid,
    /,
    *,
    scale: Scale = 5.0,
    interval: Interval = None,
    rescale: Rescale = 0.0,
    threshold: Threshold = None,
) -> Denoise:
    """Return x0_null + scale * (x0 - x0_null), both from one call of the denoiser.

    `null` may hold the parts of a negative prompt in place of the unconditional ones.

    Raises:
        CompatibilityError: the model has no null condition.
    """
    if scale == 1:
        return conditional(predict, condition)
    other = unconditional("cfg", condition, null)

    def estimates(x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
        x0, x0_null = predict(x, sigma, [condition, other])
        return x0, torch.lerp(x0_null, x0, scale)

    return guided(predict, condition, grid, estimates, interval, rescale, threshold)
