"""Perturbed-attention guidance (Ahn et al., arXiv:2403.17377)."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition
from latelier.contracts.errors import CompatibilityError
from latelier.contracts.sampling import Denoise, Predict
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.guidance.branches import unconditional
from latelier.diffusion.guidance.cfg import Scale
from latelier.diffusion.guidance.options import Interval, Rescale, Threshold, conditional, guided


def pag(
    predict: Predict,
    condition: Condition,
    null: Condition,
    grid: SigmaGrid,
    /,
    *,
    pag_scale: Annotated[
        float, Field(ge=0, description="of what self-attention contributes; 0: none")
    ] = 3.0,
    scale: Scale = 5.0,
    layers: Annotated[
        tuple[str, ...] | None,
        Field(
            min_length=1,
            description="the self-attentions to perturb, by name; by default the middle one",
        ),
    ] = None,
    interval: Interval = None,
    rescale: Rescale = 0.0,
    threshold: Threshold = None,
) -> Denoise:
    """Return classifier-free guidance + pag_scale * (x0 - x0_perturbed) (equation 13).

    x0_perturbed is of the same condition with self-attentions that pass their values through
    unattended. That is asked of a whole call of the denoiser, so there are two: one of the two
    sides of classifier-free guidance, and one of this. With `scale` 1 no null condition is needed.

    Raises:
        CompatibilityError: the denoiser cannot pass values through, or the model has no null
            condition. A layer that it does not have is an error of its own at the first step.
    """
    if pag_scale == 0 and scale == 1:
        return conditional(predict, condition)
    control = Control(perturbed_attention=_layers(predict, layers))
    sides = [condition] if scale == 1 else [condition, unconditional("pag", condition, null)]

    def estimates(x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
        x0, *rest = predict(x, sigma, sides)
        moved = torch.lerp(rest[0], x0, scale) if rest else x0
        if pag_scale > 0:
            [perturbed] = predict(x, sigma, [condition], control)
            moved = moved + pag_scale * (x0 - perturbed)
        return x0, moved

    return guided(predict, condition, grid, estimates, interval, rescale, threshold)


def _layers(predict: Predict, asked: tuple[str, ...] | None) -> frozenset[str]:
    config = predict.config
    if "perturbed_attention" not in config.supports:
        raise CompatibilityError(
            "guidance 'pag' needs a denoiser whose self-attentions can pass their values through "
            "(it supports 'perturbed_attention'), and this model's cannot; use guidance 'cfg'"
        )
    if asked is not None:
        return frozenset(asked)
    if config.middle_self_attention is None:
        raise CompatibilityError(
            "guidance 'pag': the denoiser does not say which of its self-attentions is the middle "
            "one; name those to perturb with the option layers"
        )
    return frozenset({config.middle_self_attention})
