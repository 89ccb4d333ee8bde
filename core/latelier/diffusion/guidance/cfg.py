"""Classifier-free guidance (Ho and Salimans, arXiv:2207.12598)."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.condition import Condition
from latelier.contracts.sampling import Denoise, Predict
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.guidance.options import (
    Interval,
    Rescale,
    Threshold,
    apply_options,
    denoise_under,
)
from latelier.diffusion.guidance.unconditional import make_unconditional

Scale = Annotated[
    float,
    Field(
        ge=0,
        le=1e4,
        description="how closely the picture follows what was asked for; 1 is without guidance, "
        "at half the cost",
    ),
]


def cfg(
    predict: Predict,
    condition: Condition,
    null: Condition,
    sigmas: SigmaGrid,
    /,
    *,
    scale: Scale = 5.0,
    interval: Interval = None,
    rescale: Rescale = 0.0,
    threshold: Threshold = None,
) -> Denoise:
    """Return the guided x0, x0_null + scale * (x0 - x0_null), of both estimates in one call.

    With a negative prompt, `null` is the condition of that prompt. At scale 1 the result is the
    conditional x0, in which the other options have nothing to correct.

    Raises:
        CompatibilityError: the model has no null condition.
    """
    conditional = denoise_under(predict, condition)
    if scale == 1:
        return conditional
    unconditional = make_unconditional("cfg", condition, null)

    def estimate(x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
        x0, x0_null = predict(x, sigma, [condition, unconditional])  # both (B, C, h, w)
        return x0, torch.lerp(x0_null, x0, scale)

    return apply_options(
        conditional, estimate, sigmas, interval=interval, rescale=rescale, threshold=threshold
    )
