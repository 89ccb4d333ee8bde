"""UniPC (Zhao et al., arXiv:2302.04867): a predictor and a corrector for one call of the model."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.exponential import weights

Variant = Literal["bh1", "bh2"]


def unipc(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
    *,
    noise: Noise,  # noqa: ARG001
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
    next one goes on from the corrected state (UniP-p). `Step.x` is what was predicted. The last
    stays so: to correct it would take a call more. The main step is of order p + 1; as the first
    steps know less, the whole is of second order with p = 1, else of third.

    To sigma 0, where h is infinite, a step takes the newest estimate as it is, and the one before
    extrapolates from two at most. From pure noise, where h is infinite as well, the newest is taken
    too, and then corrected with B of bh2 in either variant; afterwards that first estimate, which
    has no place in log(alpha / sigma), is not used again.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    past: deque[tuple[float, Tensor]] = deque(maxlen=order)
    before, sigma_before = x, math.inf
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma)
        if past:
            x = _step(before, sigma_before, sigma, grid, past, denoised, variant)
            if past[0][0] == -math.inf:
                past.clear()
        past.appendleft((grid.log_snr(sigma), denoised))
        before, sigma_before = x, sigma
        known = list(past)[: grid.steps - index] if grid.sigmas[-1] == 0 else past
        x = _step(x, sigma, to, grid, known, None, variant)
        yield Step(index, to, x, denoised)


def _step(
    x: Tensor,
    sigma: float,
    to: float,
    grid: SigmaGrid,
    past: Sequence[tuple[float, Tensor]],
    corrector: Tensor | None,
    variant: Variant,
) -> Tensor:
    """Return x at `to` from x at `sigma` by the estimates there and before, newest first.

    past: log(alpha / sigma) and x0 of each. corrector: x0 at `to`, where it is known.
    """
    (start, newest), *older = past
    h = grid.log_snr(to) - start
    nodes, estimates = [(each - start) / h for each, _ in older], [x0 for _, x0 in older]
    if corrector is not None:
        nodes, estimates = [*nodes, 1.0], [*estimates, corrector]
    if len(nodes) == 1:
        b = h if variant == "bh1" and h < math.inf else -math.expm1(-h)
        others = [b / (2 * nodes[0])]
    else:
        others = weights(h, nodes)
    keep, alpha = to / sigma, grid.alpha(to)
    x = (x * keep).add_(newest, alpha=1 - keep - alpha * sum(others))
    for weight, x0 in zip(others, estimates):
        x.add_(x0, alpha=alpha * weight)
    return x
