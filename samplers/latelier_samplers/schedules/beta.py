"""Training steps at the quantiles of a beta distribution (Lee et al., arXiv:2407.12173)."""

from typing import Annotated

import numpy as np
from pydantic import Field

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.processes.process import Process
from latelier.diffusion.processes.vp import VP
from latelier_samplers.schedules.beta_quantile import beta_quantile
from latelier_samplers.schedules.ratios import check_steps

Shape = Annotated[
    float,
    Field(ge=0.05, le=20, description="the lower, the more of the steps lie at that end"),
]


def beta(steps: int, process: Process, /, *, alpha: Shape = 0.6, beta: Shape = 0.6) -> SigmaGrid:
    """Return sigmas at the quantiles of Beta(alpha, beta) in the model's t, and a final 0.

    The quantiles are those of evenly spaced shares from 1 down to 0, so that the first sigma is the
    highest and the last before 0 the least that the model was trained on. alpha acts at the end of
    low noise, beta at that of high noise; with 1 and 1 the steps are even.

    t is the process's: training steps (VP, rectified flow) or log(sigma) / 4 (EDM). A VP model
    knows whole steps only, so t is rounded. Several that round to one step are one sigma, so there
    may be fewer steps than `steps`.

    Raises:
        InvalidInputError: `steps` is below 1, or above the training steps of the process.
    """
    check_steps(steps)
    count = process.training_steps
    if count is not None and steps > count:
        raise InvalidInputError(
            f"the schedule 'beta' makes 1 to {count} steps, as many as the process "
            f"'{process.kind}' was trained with, not {steps}"
        )
    shares = 1 - np.arange(steps) / max(steps - 1, 1)
    lowest, highest = (float(process.timestep(s)) for s in (process.sigma_min, process.sigma_max))
    times = lowest + (highest - lowest) * beta_quantile(shares, alpha, beta)
    if isinstance(process, VP):
        times = np.round(times)
    first, last = process.sigma_max, process.sigma_min
    inner = sorted({process.sigma(t) for t in times[1:-1].tolist()}, reverse=True)
    # Some fall on an end, or past it where t is rounded to float32.
    sigmas = [first, *(sigma for sigma in inner if last < sigma < first), last][:steps]
    return SigmaGrid((*sigmas, 0.0), process.frame)
