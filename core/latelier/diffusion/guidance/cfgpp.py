"""CFG++ (Chung et al., arXiv:2406.08070)."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.condition import Condition
from latelier.contracts.errors import CompatibilityError
from latelier.contracts.sampling import Denoise, Predict
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.guidance.options import is_at
from latelier.diffusion.guidance.unconditional import make_unconditional

_ROUNDING = 1e-5
_MIN_AGREEMENT = 1 / 200


def cfgpp(
    predict: Predict,
    condition: Condition,
    null: Condition,
    sigmas: SigmaGrid,
    /,
    *,
    scale: Annotated[
        float, Field(ge=0, le=1, description="from x0_null (0) to x0 under the condition (1)")
    ] = 0.6,
) -> Denoise:
    """Return a `denoise` with which a DDIM step becomes that of Algorithm 2.

    Algorithm 2 interpolates x0 instead of extrapolating it, and adds the noise that x0_null
    implies. Its step from sigma to sigma_next is DDIM's with classifier-free guidance of the scale
    scale * alpha_next / (1 - sigma_next / sigma), where sigma_next is the next sigma of the run. So
    it holds for the sampler 'ddim' with eta 0 alone; another is recognized by its x.

    Raises:
        CompatibilityError: the model has no null condition; or, from `denoise`, the calls are not
            those of 'ddim'.
    """
    unconditional = make_unconditional("cfgpp", condition, null)
    expected: Tensor | None = None
    index = 0

    def denoise(x: Tensor, sigma: float | Tensor, /) -> Tensor:
        nonlocal expected, index
        if is_at(sigma, sigmas[0]):
            expected, index = None, 0
        is_next = index < sigmas.steps and is_at(sigma, sigmas[index])
        if not is_next or (expected is not None and not _is_mostly(x, expected)):
            raise CompatibilityError(
                "guidance 'cfgpp' is defined for the steps of the sampler 'ddim' with eta 0, "
                "without overlapping windows, and this run makes others; use guidance 'cfg'"
            )
        sigma_next = sigmas[index + 1]
        ratio = sigma_next / sigmas[index]
        x0, x0_null = predict(x, sigma, [condition, unconditional])
        x0 = torch.lerp(x0_null, x0, scale * sigmas.alpha(sigma_next) / (1 - ratio))
        expected, index = torch.lerp(x0, x, ratio), index + 1
        return x0

    return denoise


def _is_mostly(x: Tensor, expected: Tensor) -> bool:
    """Return whether x comes from DDIM's step; where a part is inpainted, most of x may differ."""
    close = torch.isclose(x, expected, rtol=_ROUNDING, atol=_ROUNDING)
    return bool(close.float().mean() > _MIN_AGREEMENT)
