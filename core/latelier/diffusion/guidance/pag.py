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
from latelier.diffusion.guidance.cfg import Scale
from latelier.diffusion.guidance.options import (
    Interval,
    Rescale,
    Threshold,
    apply_options,
    denoise_under,
)
from latelier.diffusion.guidance.unconditional import make_unconditional


def pag(
    predict: Predict,
    condition: Condition,
    null: Condition,
    sigmas: SigmaGrid,
    /,
    *,
    pag_scale: Annotated[
        float,
        Field(
            ge=0,
            le=1e4,
            description="how much clearer shapes become; 0: none. The weight of x0 - x0_perturbed",
        ),
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

    x0_perturbed is estimated under the same condition with self-attention maps replaced by the
    identity. This holds for a whole call of the denoiser, so there are two calls: one for
    classifier-free guidance, and one for x0_perturbed. With `scale` 1 no null condition is needed.

    Raises:
        CompatibilityError: the denoiser does not support perturbed attention, or the model has no
            null condition. A layer that does not exist is an error of the first step.
    """
    conditional = denoise_under(predict, condition)
    if pag_scale == 0 and scale == 1:
        return conditional
    control = Control(perturbed_attention=_select_layers(predict, layers))
    conditions = [condition]
    if scale != 1:
        conditions.append(make_unconditional("pag", condition, null))

    def estimate(x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
        x0, *rest = predict(x, sigma, conditions)
        guided = torch.lerp(rest[0], x0, scale) if rest else x0
        if pag_scale > 0:
            [perturbed] = predict(x, sigma, [condition], control)
            guided = guided + pag_scale * (x0 - perturbed)
        return x0, guided

    return apply_options(
        conditional, estimate, sigmas, interval=interval, rescale=rescale, threshold=threshold
    )


def _select_layers(predict: Predict, layers: tuple[str, ...] | None) -> frozenset[str]:
    config = predict.config
    if "perturbed_attention" not in config.supports:
        raise CompatibilityError(
            "guidance 'pag' needs a denoiser that supports 'perturbed_attention', and this model's "
            "does not; use guidance 'cfg'"
        )
    if layers is not None:
        return frozenset(layers)
    if config.middle_self_attention is None:
        raise CompatibilityError(
            "guidance 'pag': the denoiser does not name its middle self-attention; name the layers "
            "to perturb with the option layers"
        )
    return frozenset({config.middle_self_attention})
