"""SA-Solver, the stochastic Adams method (Xue et al., arXiv:2309.05019, Algorithm 1)."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.exponential import weights


def sa_solver(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
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
    exactly against exp(-(1 + tau^2) * h) (sections 5.1 and 5.2). The next step begins by correcting
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
        if past and past[0][0] == -math.inf:
            past.clear()
        past.appendleft((at, denoised))
        if corrector_order > 0 and start > -math.inf:
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

    x0(u) is the polynomial through `estimates`, pairs of u and x0: one, or one at `start` among
    them.
    """
    h = end - start
    (_, nearest), *others = sorted(estimates, key=lambda each: abs(each[0] - start))
    shares = weights(k * h, [(u - start) / h for u, _ in others])
    x = torch.add(x, nearest, alpha=alpha * (-math.expm1(-k * h) - sum(shares)))
    for share, (_, estimate) in zip(shares, others):
        x.add_(estimate, alpha=alpha * share)
    return x
