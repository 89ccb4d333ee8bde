"""Composable diffusion (Liu et al., arXiv:2206.01714): pictures of several prompts at once."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.condition import Condition
from latelier.contracts.sampling import Denoise, Predict
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.guidance.branches import unconditional
from latelier.diffusion.guidance.cfg import Scale
from latelier.diffusion.guidance.options import Interval, Rescale, Threshold, conditional, guided


def composable(
    predict: Predict,
    condition: Condition,
    null: Condition,
    grid: SigmaGrid,
    /,
    *,
    also: Annotated[
        dict[str, float],
        Field(
            description="further values of the first public input -> weight, above 0 for AND, "
            'below 0 for NOT: {"a dog": 4, "fog": -2}'
        ),
    ],
    scale: Scale = 5.0,
    interval: Interval = None,
    rescale: Rescale = 0.0,
    threshold: Threshold = None,
) -> Denoise:
    """Return x0_null + the weighted sum of every prompt's x0 - x0_null (equations 11 and 13).

    `scale` is the weight of the run's own prompt. What else is given holds with every prompt. All
    are of one call of the denoiser; those of weight 0 are not estimated.

    Raises:
        CompatibilityError: the model has no null condition, or no public input.
        InvalidInputError: a value that the first public input cannot take.
    """
    others = {value: weight for value, weight in also.items() if weight != 0}
    if scale == 1 and not others:
        return conditional(predict, condition)
    other = unconditional("composable", condition, null)
    conditions = [condition, other, *(predict.condition_for(value) for value in others)]

    def estimates(x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
        x0, x0_null, *rest = predict(x, sigma, conditions)
        moved = torch.lerp(x0_null, x0, scale)
        for each, weight in zip(rest, others.values(), strict=True):
            moved = moved.add(each - x0_null, alpha=weight)
        return x0, moved

    return guided(predict, condition, grid, estimates, interval, rescale, threshold)
