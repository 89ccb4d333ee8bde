"""UniPC (Zhao et al., arXiv:2302.04867): a predictor and a corrector for one call of the model."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from latelier.contracts.sampling import Denoise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.exponential import exponential_weights

Variant = Literal["bh1", "bh2"]


def unipc(
    denoise: Denoise,
    x: Tensor,
    sigmas: SigmaGrid,
    /,
    *,
    order: Annotated[
        int,
        Field(ge=1, le=3, description="p of UniPC-p: the predictor's; the corrector's is p + 1"),
    ] = 2,
    variant: Annotated[
        Variant,
        Field(
            description="B(h), which matters to UniP-2 and UniC-1 alone: h (bh1) or 1 - exp(-h) "
            "(bh2), h being the change of log(alpha / sigma)"
        ),
    ] = "bh2",
) -> Iterator[Step]:
    """Yield the steps of the method for x0: one call of `denoise` each.

    The estimate at a new sigma serves twice: it corrects the step that led there (UniC-p), and the
    next step starts from the corrected state (UniP-p). `Step.x` is the prediction, and the last one
    stays so: to correct it would take a further call. The main step is of order p + 1; the first
    steps know fewer estimates, so the run is of second order with p = 1, else of third.

    The step to sigma 0, where h is infinite, uses the newest estimate alone, and the one before it
    extrapolates from two at most. From pure noise, where h is infinite as well, the newest is used
    too, and then corrected with B of bh2 in either variant; that first estimate is left out
    afterwards, since it has no place in log(alpha / sigma).
    """
    past: deque[tuple[float, Tensor]] = deque(maxlen=order)
    x_previous, sigma_previous = x, math.inf
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        if past:
            ends = sigma_previous, sigma
            x = _unified_step(x_previous, sigmas, ends, past, variant, corrector=denoised)
            if past[0][0] == -math.inf:
                past.clear()
        past.appendleft((sigmas.half_log_snr(sigma), denoised))
        x_previous, sigma_previous = x, sigma
        known = list(past)[: sigmas.steps - index] if sigmas[-1] == 0 else past
        x = _unified_step(x, sigmas, (sigma, sigma_next), known, variant)
        yield Step(index, sigma_next, x, denoised)


def _unified_step(
    x: Tensor,
    sigmas: SigmaGrid,
    ends: tuple[float, float],
    past: Sequence[tuple[float, Tensor]],
    variant: Variant,
    corrector: Tensor | None = None,
) -> Tensor:
    """Return x at the second of `ends` from x at the first.

    Args:
        x: (B, C, h, w).
        sigmas: of the run.
        ends: sigma and sigma_next.
        past: lambda = log(alpha / sigma) and x0 of the estimates at sigma and before, newest first.
        variant: of B(h).
        corrector: x0 at sigma_next, where it is known.
    """
    sigma, sigma_next = ends
    (lam, newest), *older = past
    h = sigmas.half_log_snr(sigma_next) - lam
    nodes, estimates = [(each - lam) / h for each, _ in older], [x0 for _, x0 in older]
    if corrector is not None:
        nodes, estimates = [*nodes, 1.0], [*estimates, corrector]
    if len(nodes) == 1:
        b = h if variant == "bh1" and h < math.inf else -math.expm1(-h)
        weights = [b / (2 * nodes[0])]
    else:
        weights = exponential_weights(h, nodes)
    ratio, alpha_next = sigma_next / sigma, sigmas.alpha(sigma_next)
    x = (x * ratio).add_(newest, alpha=1 - ratio - alpha_next * sum(weights))
    for weight, x0 in zip(weights, estimates):
        x.add_(x0, alpha=alpha_next * weight)
    return x
