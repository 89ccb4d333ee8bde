"""SA-Solver, the stochastic Adams method (Xue et al., arXiv:2309.05019, Algorithm 1)."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from latelier.kernel.contracts import Denoise, Grid, Noise, Step


def sa_solver(
    denoise: Denoise,
    x: Tensor,
    grid: Grid,
    /,
    *,
    noise: Noise,
    predictor_order: Annotated[
        int, Field(ge=1, le=4, description="estimates of x0 that a prediction is made of")
    ] = 2,
    corrector_order: Annotated[
        int, Field(ge=0, le=4, description="estimates that a correction is made of; 0: none")
    ] = 2,
    tau: Annotated[
        float, Field(ge=0, description="amount of noise; 0: none, 1: the reverse SDE's")
    ] = 1.0,
    s_tmin: Annotated[
        float, Field(ge=0, description="least sigma / alpha at which noise is added")
    ] = 0.05,
    s_tmax: Annotated[
        float, Field(ge=0, description="greatest sigma / alpha at which noise is added")
    ] = 50.0,
) -> Iterator[Step]:
    """Yield the predictions of Algorithm 1: one call of `denoise` each.

    x0 is taken as the polynomial in log(alpha / sigma) through the last estimates and integrated
    exactly against exp(-(1 + tau^2) * h) (equations 14 and 17). The next step begins by correcting
    the prediction with the estimate that was made of it, under the same noise. The first step and
    one to sigma 0 are of first order. An estimate made at pure noise, infinitely far off, is in no
    polynomial, and the step from there is not corrected. By default tau is as the paper has it for
    ImageNet-64.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    past: deque[tuple[float, Tensor]] = deque(maxlen=max(predictor_order, corrector_order))
    rest, start, k = x, -math.inf, 1.0
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma)
        at = grid.log_snr(sigma)
        if not past or not math.isfinite(past[0][0]):
            past.clear()
        past.appendleft((at, denoised))
        if index > 0 and corrector_order > 0 and math.isfinite(start):
            x = _integrated(rest, grid.alpha(sigma), [*past][:corrector_order], start, at, k)
        noisy = tau if s_tmin <= math.exp(-at) <= s_tmax else 0.0
        start, end, k = at, grid.log_snr(to), 1 + noisy**2
        # What of x does not depend on x0; the correction starts from it again.
        keep = to / sigma * (math.exp(-(noisy**2) * (end - start)) if noisy else 1.0)
        rest = x * keep
        if noisy * to > 0:
            std = to * math.sqrt(-math.expm1(-2 * noisy**2 * (end - start)))
            rest.add_(noise(sigma, to), alpha=std)
        order = predictor_order if to > 0 else 1
        x = _integrated(rest, grid.alpha(to), [*past][:order], start, end, k)
        yield Step(index, to, x, denoised)


def _integrated(
    x: Tensor,
    alpha: float,
    estimates: Sequence[tuple[float, Tensor]],
    start: float,
    end: float,
    k: float,
) -> Tensor:
    """Return x + alpha * integral of k * exp(-k * (end - u)) * x0(u) from `start` to `end`.

    x0(u) is the polynomial through `estimates`, pairs of u and x0.
    """
    h = end - start
    integrals = [-math.expm1(-k * h)]
    if len(estimates) == 1:
        return torch.add(x, estimates[0][1], alpha=alpha * integrals[0])
    # Integrals of the powers of (u - start) / h, by parts; the weights give them the same.
    for power in range(1, len(estimates)):
        integrals.append(1 - power / (k * h) * integrals[-1])
    nodes = [(u - start) / h for u, _ in estimates]
    weights = np.linalg.solve(np.vander(nodes, increasing=True).T, integrals)
    for weight, (_, estimate) in zip(weights.tolist(), estimates):
        x = torch.add(x, estimate, alpha=alpha * weight)
    return x
