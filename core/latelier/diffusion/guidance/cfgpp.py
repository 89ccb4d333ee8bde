"""CFG++ (Chung et al., arXiv:2406.08070)."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.condition import Condition
from latelier.contracts.errors import CompatibilityError
from latelier.contracts.sampling import Denoise, Predict
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.guidance.branches import unconditional
from latelier.diffusion.guidance.options import is_at

_ROUNDING = 1e-5
_AGREEING = 1 / 200


def cfgpp(
    predict: Predict,
    condition: Condition,
    null: Condition,
    grid: SigmaGrid,
    /,
    *,
    scale: Annotated[
        float, Field(ge=0, le=1, description="from x0_null (0) to x0 under the condition (1)")
    ] = 0.6,
) -> Denoise:
    """Return what makes of a DDIM step that of Algorithm 2.

    There x0 is interpolated, not extrapolated, and is noised again with the noise that goes with
    x0_null. Such a step from s to s' is DDIM's with classifier-free guidance of the scale
    scale * alpha(s') / (1 - s' / s). The step's end is known from the grid, so this holds of the
    sampler 'ddim' without fresh noise alone, and any other is found out by the x that it makes.

    Raises:
        CompatibilityError: the model has no null condition, or, from `denoise`, the calls are not
            those of 'ddim'.
    """
    other = unconditional("cfgpp", condition, null)
    expected: Tensor | None = None
    index = 0

    def denoise(x: Tensor, sigma: float | Tensor, /) -> Tensor:
        nonlocal expected, index
        if is_at(sigma, grid.sigmas[0]):
            expected, index = None, 0
        known = index < grid.steps and is_at(sigma, grid.sigmas[index])
        if not known or (expected is not None and not _mostly(x, expected)):
            raise CompatibilityError(
                "guidance 'cfgpp' is defined for the steps of the sampler 'ddim' with eta 0, "
                "without overlapping windows, and this run makes others; use guidance 'cfg'"
            )
        start, end = grid.sigmas[index], grid.sigmas[index + 1]
        ratio = end / start
        x0, x0_null = predict(x, sigma, [condition, other])
        x0 = torch.lerp(x0_null, x0, scale * grid.alpha(end) / (1 - ratio))
        expected, index = torch.lerp(x0, x, ratio), index + 1
        return x0

    return denoise


def _mostly(x: Tensor, expected: Tensor) -> bool:
    """Return whether DDIM's step was made: not where a part of the picture is held, however."""
    close = torch.isclose(x, expected, rtol=_ROUNDING, atol=_ROUNDING)
    return bool(close.float().mean() > _AGREEING)
