"""What guidance rules share: when they act, and how their excess is taken back.

These are options of every rule that moves an estimate away from another, under the same names, so
that each goes with each: `interval`, `rescale` and `threshold`.
"""

import math
from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.condition import Condition
from latelier.contracts.sampling import Denoise, Predict
from latelier.contracts.sigma_grid import SigmaGrid

Estimates = Callable[[Tensor, float | Tensor], tuple[Tensor, Tensor]]
"""x and sigma -> x0 under the condition, and the guided x0; all (B, C, h, w)."""


def _increasing(ends: tuple[float, float]) -> tuple[float, float]:
    if not ends[0] < ends[1]:
        raise ValueError(f"an interval goes from a lower to a higher sigma, not {list(ends)}")
    return ends


_NotNegative = Annotated[float, Field(ge=0)]

Interval = Annotated[
    Annotated[tuple[_NotNegative, _NotNegative], AfterValidator(_increasing)] | None,
    Field(
        description="lowest and highest sigma / alpha (in the 've' frame sigma itself) between "
        "which guidance acts; elsewhere it is the condition alone, at its lower cost"
    ),
]

Rescale = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="how far the standard deviation of x0 is brought back to that under the "
        "condition alone: 0 not at all, 1 wholly; 0.7 is usual",
    ),
]

Threshold = Annotated[
    float | None,
    Field(
        gt=0,
        le=1,
        description="share of the numbers in x0 whose magnitude is brought back to that under the "
        "condition alone, the others being clipped there (dynamic thresholding): 0.995, say",
    ),
]


def conditional(predict: Predict, condition: Condition) -> Denoise:
    """Return the estimate under the condition alone."""
    return lambda x, sigma: predict(x, sigma, [condition])[0]


def guided(
    predict: Predict,
    condition: Condition,
    grid: SigmaGrid,
    estimates: Estimates,
    interval: tuple[float, float] | None,
    rescale: float,
    threshold: float | None,
) -> Denoise:
    """Return the `denoise` of a rule, which is `estimates`, with these options in effect.

    interval: Kynkäänniemi et al., arXiv:2404.07724. rescale: see `rescaled`. threshold: see
    `thresholded`. Each is of one image, whatever else is in its batch.
    """

    def corrected(x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
        x0, moved = estimates(x, sigma)
        if rescale > 0:
            moved = rescaled(moved, x0, rescale)
        if threshold is not None:
            moved = thresholded(moved, x0, threshold)
        return x0, moved

    if interval is None:
        return lambda x, sigma: corrected(x, sigma)[1]

    def denoise(x: Tensor, sigma: float | Tensor, /) -> Tensor:
        acts = _within(interval, grid, sigma)
        if not acts.any():
            return predict(x, sigma, [condition])[0]
        x0, moved = corrected(x, sigma)
        return torch.where(acts.to(x.device).view(-1, *[1] * (x.ndim - 1)), moved, x0)

    return denoise


def rescaled(moved: Tensor, x0: Tensor, share: float) -> Tensor:
    """Return `moved` with a share of its excess in standard deviation over `x0` taken back.

    Lin et al., arXiv:2305.08891, equations 15 and 16, taken of x0, whose deviation is what makes a
    picture look overexposed. They are given for the model's output, which for a v-prediction is -x0
    where there is nearly nothing but noise.
    """
    dims = tuple(range(1, x0.ndim))
    whole = moved * (x0.std(dims, keepdim=True) / moved.std(dims, keepdim=True))
    return torch.lerp(moved, whole, share)


def thresholded(moved: Tensor, x0: Tensor, share: float) -> Tensor:
    """Return `moved` clipped at the magnitude s that a share of it is below, and scaled down.

    Dynamic thresholding (Saharia et al., arXiv:2205.11487, section 2.3) is of pixels, which s is
    scaled down to the range of, 1. Latents have no range: here it is the magnitude that the same
    share of `x0` is below. Where s is less than that, nothing changes.
    """
    s, own = (
        each.abs().flatten(1).float().quantile(share, dim=1).view(-1, *[1] * (each.ndim - 1))
        for each in (moved, x0)
    )
    clipped = moved.clamp(-s, s) * (own / s)
    return torch.where(s > own, clipped, moved).to(moved.dtype)


def is_at(sigma: float | Tensor, expected: float) -> bool:
    """Return whether sigma, or that of every image, is a sigma of the grid."""
    sigmas = sigma.flatten().tolist() if isinstance(sigma, Tensor) else [sigma]
    return all(math.isclose(each, expected, rel_tol=1e-6) for each in sigmas)


def _within(interval: tuple[float, float], grid: SigmaGrid, sigma: float | Tensor) -> Tensor:
    """Return whether sigma / alpha is in the interval, bool () or (B,)."""
    s = torch.as_tensor(sigma, dtype=torch.float64)
    alpha = frames.alpha(grid.frame, s)  # multiplied, not divided by: 0 at pure noise
    return (interval[0] * alpha <= s) & (s <= interval[1] * alpha)
