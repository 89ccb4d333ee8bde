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
from latelier_samplers.exponential import exponential_weights


def sa_solver(
    denoise: Denoise,
    x: Tensor,
    sigmas: SigmaGrid,
    /,
    *,
    noise: Noise,
    predictor_order: Annotated[
        int, Field(ge=1, le=4, description="estimates of x0 that a prediction uses")
    ] = 2,
    corrector_order: Annotated[
        int, Field(ge=0, le=4, description="estimates that a correction uses; 0: none")
    ] = 2,
    tau: Annotated[
        float, Field(ge=0, le=100, description="new noise in each step; 0: none, 1: as in the SDE")
    ] = 1.0,
    s_tmin: Annotated[
        float, Field(ge=0, description="least sigma / alpha at which noise is added")
    ] = 0.05,
    s_tmax: Annotated[
        float, Field(ge=0, description="greatest sigma / alpha at which noise is added")
    ] = 50.0,
) -> Iterator[Step]:
    """Yield the predictions of Algorithm 1: one call of `denoise` each.

    A step integrates the polynomial in lambda = log(alpha / sigma) through the last estimates of
    x0 exactly against exp(-(1 + tau^2) * h) (sections 5.1 and 5.2). The next step begins by
    correcting the prediction with the estimate made at it, under the same noise. The first step
    and one to sigma 0 are of first order. An estimate made at pure noise, infinitely far off, is
    left out, and the step from there is not corrected. The default tau is the paper's for
    ImageNet-64.
    """
    past: deque[tuple[float, Tensor]] = deque(maxlen=max(predictor_order, corrector_order))
    base, start, rate = x, -math.inf, 1.0
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        lam, lam_next = sigmas.half_log_snr(sigma), sigmas.half_log_snr(sigma_next)
        if past and past[0][0] == -math.inf:
            past.clear()
        past.appendleft((lam, denoised))
        if corrector_order > 0 and start > -math.inf:
            estimates = [*past][:corrector_order]
            x = _integrate(base, sigmas.alpha(sigma), estimates, (start, lam), rate)
        noisy = tau if s_tmin <= math.exp(-lam) <= s_tmax else 0.0
        start, rate, h = lam, 1 + noisy**2, lam_next - lam
        # The part of the next x that does not depend on x0; the correction starts from it again.
        base = x * (sigma_next / sigma * (math.exp(-(noisy**2) * h) if noisy else 1.0))
        if noisy * sigma_next > 0:
            sigma_up = sigma_next * math.sqrt(-math.expm1(-2 * noisy**2 * h))
            base.add_(noise(sigma, sigma_next), alpha=sigma_up)
        estimates = [*past][: predictor_order if sigma_next > 0 else 1]
        x = _integrate(base, sigmas.alpha(sigma_next), estimates, (lam, lam_next), rate)
        yield Step(index, sigma_next, x, denoised)


def _integrate(
    x: Tensor,
    alpha: float,
    estimates: Sequence[tuple[float, Tensor]],
    ends: tuple[float, float],
    rate: float,
) -> Tensor:
    """Return x + alpha * the integral of rate * exp(-rate * (end - lam)) * x0(lam) between `ends`.

    x0(lam) is the polynomial through `estimates`, pairs of lam and x0: a single one, or one at the
    first of `ends` among them.
    """
    start, end = ends
    h = end - start
    (_, nearest), *others = sorted(estimates, key=lambda each: abs(each[0] - start))
    weights = exponential_weights(rate * h, [(lam - start) / h for lam, _ in others])
    x = torch.add(x, nearest, alpha=alpha * (-math.expm1(-rate * h) - sum(weights)))
    for weight, (_, estimate) in zip(weights, others):
        x.add_(estimate, alpha=alpha * weight)
    return x
