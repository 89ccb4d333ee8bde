"""Composable diffusion (Liu et al., arXiv:2206.01714): pictures of several prompts at once."""

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
)
from latelier.diffusion.guidance.unconditional import make_unconditional


def composable(
    predict: Predict,
    condition: Condition,
    null: Condition,
    sigmas: SigmaGrid,
    /,
    *,
    also: Annotated[
        dict[str, Annotated[float, Field(ge=-1e4, le=1e4)]],
        Field(
            max_length=100,
            description="further values of the first public input -> weight, above 0 for AND, "
            'below 0 for NOT: {"a dog": 4, "fog": -2}',
        ),
    ],
    scale: Scale = 5.0,
    interval: Interval = None,
    rescale: Rescale = 0.0,
    threshold: Threshold = None,
) -> Denoise:
    """Return x0_null + the weighted sum of every prompt's x0 - x0_null (equations 11 and 13).

    `scale` is the weight of the run's own prompt. The other inputs of the run hold for every
    prompt. All estimates come from one call of the denoiser; prompts of weight 0 are left out.

    Raises:
        CompatibilityError: the model has no null condition, or no public input.
        InvalidInputError: the first public input does not accept a value.
    """
    others = {value: weight for value, weight in also.items() if weight != 0}
    conditional = denoise_under(predict, condition)
    if scale == 1 and not others:
        return conditional
    unconditional = make_unconditional("composable", condition, null)
    conditions = [condition, unconditional, *(predict.condition_for(value) for value in others)]

    def estimate(x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
        x0, x0_null, *rest = predict(x, sigma, conditions)
        guided = torch.lerp(x0_null, x0, scale)
        for each, weight in zip(rest, others.values(), strict=True):
            guided = guided.add(each - x0_null, alpha=weight)
        return x0, guided

    return apply_options(
        conditional, estimate, sigmas, interval=interval, rescale=rescale, threshold=threshold
    )
