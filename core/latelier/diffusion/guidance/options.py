"""The options that guidance rules share: `interval`, `rescale` and `threshold`.

They set when a rule acts and how its excess is corrected. Every rule that extrapolates has them,
and they combine.
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
"""x and sigma -> the conditional x0 and the guided x0; all (B, C, h, w)."""


def _check_interval(ends: tuple[float, float]) -> tuple[float, float]:
    if not ends[0] < ends[1]:
        raise ValueError(f"an interval goes from a lower to a higher sigma, not {list(ends)}")
    return ends


_NonNegative = Annotated[float, Field(ge=0)]

Interval = Annotated[
    Annotated[tuple[_NonNegative, _NonNegative], AfterValidator(_check_interval)] | None,
    Field(
        description="noise levels between which guidance acts, the lowest and the highest: fewer "
        "are faster and give more varied pictures. They are values of sigma / alpha, in the 've' "
        "frame of sigma itself; outside of them only the condition is evaluated"
    ),
]

Rescale = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="how far a contrast that guidance has raised is taken back: 0 not at all, 1 "
        "completely, 0.7 is usual. It scales x0 toward the standard deviation of the conditional "
        "x0",
    ),
]

Threshold = Annotated[
    float | None,
    Field(
        gt=0,
        le=1,
        description="share of the values that keep their colour where guidance burns others out, "
        "such as 0.995. Dynamic thresholding: at this quantile of its magnitudes x0 is clipped, "
        "and then scaled to the quantile of the conditional x0",
    ),
]


def denoise_under(predict: Predict, condition: Condition) -> Denoise:
    """Return the `denoise` of one condition, without guidance."""
    return lambda x, sigma: predict(x, sigma, [condition])[0]


def apply_options(
    conditional: Denoise,
    estimate: Estimates,
    sigmas: SigmaGrid,
    *,
    interval: tuple[float, float] | None,
    rescale: float,
    threshold: float | None,
) -> Denoise:
    """Return the `denoise` of a rule, with these options applied to its estimate.

    Each option acts on one image, whatever else is in its batch.

    Args:
        conditional: the `denoise` of the condition, for sigmas outside the interval.
        estimate: the conditional x0 and the guided x0.
        sigmas: of the run.
        interval: Kynkäänniemi et al., arXiv:2404.07724.
        rescale: see `rescale_std`.
        threshold: see `clip_dynamically`.
    """

    def correct(x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
        x0, guided = estimate(x, sigma)
        if rescale > 0:
            guided = rescale_std(guided, x0, rescale)
        if threshold is not None:
            guided = clip_dynamically(guided, x0, threshold)
        return x0, guided

    if interval is None:
        return lambda x, sigma: correct(x, sigma)[1]

    def denoise(x: Tensor, sigma: float | Tensor, /) -> Tensor:
        acts = _is_within(interval, sigmas, sigma)
        if not acts.any():
            return conditional(x, sigma)
        x0, guided = correct(x, sigma)
        return torch.where(acts.to(x.device).view(-1, *[1] * (x.ndim - 1)), guided, x0)

    return denoise


def rescale_std(guided: Tensor, x0: Tensor, factor: float) -> Tensor:
    """Return `guided` rescaled toward the standard deviation of `x0` by a factor in [0, 1].

    Lin et al., arXiv:2305.08891, equations 15 and 16, applied to x0, because a large standard
    deviation of x0 makes an image look overexposed. The paper applies them to the output of the
    model, which for a v-prediction is about -x0 where x is nearly all noise. Shapes (B, C, h, w).
    """
    dims = tuple(range(1, x0.ndim))
    rescaled = guided * (x0.std(dims, keepdim=True) / guided.std(dims, keepdim=True))
    return torch.lerp(guided, rescaled, factor)


def clip_dynamically(guided: Tensor, x0: Tensor, quantile: float) -> Tensor:
    """Return `guided` clipped at the quantile of its magnitudes, and scaled to that of `x0`.

    Dynamic thresholding (Saharia et al., arXiv:2205.11487, section 2.3) scales the pixels of an
    image to their range, 1. Latents have no range, so they are scaled to the quantile of `x0`. An
    image whose quantile is not above that of `x0` does not change. Shapes (B, C, h, w).
    """
    s, s_x0 = (
        each.abs().flatten(1).float().quantile(quantile, dim=1).view(-1, *[1] * (each.ndim - 1))
        for each in (guided, x0)
    )
    clipped = guided.clamp(-s, s) * (s_x0 / s)
    return torch.where(s > s_x0, clipped, guided).to(guided.dtype)


def is_at(sigma: float | Tensor, expected: float) -> bool:
    """Return whether sigma, or that of every image, is a sigma of the grid."""
    sigmas = sigma.flatten().tolist() if isinstance(sigma, Tensor) else [sigma]
    return all(math.isclose(each, expected, rel_tol=1e-6) for each in sigmas)


def _is_within(interval: tuple[float, float], sigmas: SigmaGrid, sigma: float | Tensor) -> Tensor:
    """Return whether sigma / alpha is in the interval, bool () or (B,)."""
    s = torch.as_tensor(sigma, dtype=torch.float64)
    alpha = frames.alpha(sigmas.frame, s)  # multiplied, not divided by: 0 at pure noise
    return (interval[0] * alpha <= s) & (s <= interval[1] * alpha)
