"""Classifier-free guidance (Ho and Salimans, arXiv:2207.12598)."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.kernel.condition import Condition
from latelier.kernel.contracts import Denoise, Grid, Predict


def cfg(
    predict: Predict,
    condition: Condition,
    null: Condition,
    grid: Grid,  # noqa: ARG001
    /,
    *,
    scale: Annotated[
        float, Field(ge=0, description="1: the condition alone, at half the cost")
    ] = 5.0,
) -> Denoise:
    """Return x0_null + scale * (x0 - x0_null), both from one call of the denoiser.

    `null` may hold the parts of a negative prompt in place of the unconditional ones.
    """
    if scale == 1:
        return lambda x, sigma: predict(x, sigma, [condition])[0]
    unconditional = condition.replaced(null)

    def denoise(x: Tensor, sigma: float | Tensor, /) -> Tensor:
        x0, x0_null = predict(x, sigma, [condition, unconditional])
        return torch.lerp(x0_null, x0, scale)

    return denoise
