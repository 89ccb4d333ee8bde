"""The spacing of Karras et al. (arXiv:2206.00364, equation 5)."""

import math
from typing import Annotated

from pydantic import Field

from latelier.diffusion.grid import Grid
from latelier.diffusion.process import Process
from latelier.kernel.errors import InvalidInputError

_HIGHEST_FLOW_RATIO = 60.0
_LOWEST_FLOW_SIGMA = 0.01


def karras(
    steps: int,
    process: Process,
    /,
    *,
    rho: Annotated[
        float, Field(ge=1, description="the higher, the more of the steps lie at low sigma")
    ] = 7.0,
    sigma_min: Annotated[
        float | None,
        Field(
            gt=0,
            description="the last sigma before 0; by default the process's (flow: 0.01 at least)",
        ),
    ] = None,
    sigma_max: Annotated[
        float | None, Field(gt=0, description="the first sigma; by default the process's")
    ] = None,
) -> Grid:
    """Return `steps` sigmas, evenly spaced in sigma^(1 / rho), and a final 0.

    In the flow frame what is spaced is the noise-to-signal ratio sigma / (1 - sigma). At pure noise
    that is infinite, so the spacing begins at a ratio of 60 at most, and its first point is then
    moved to sigma_max; sigma_min is 0.01 unless the process's own is higher. With the exact
    denoiser of 1,500 small pictures and 10 or 20 steps the error is then a quarter of that of
    evenly spaced sigmas. (Of the bounds 15 to 160, those from 40 to 80 did best; smoother or larger
    pictures want higher ones.)

    Raises:
        InvalidInputError: steps below 1, or sigmas that do not fit the frame or each other.
    """
    if steps < 1:
        raise InvalidInputError(f"the schedule 'karras' makes at least 1 step, not {steps}")
    flow = process.frame == "flow"
    own_min = max(process.sigma_min, _LOWEST_FLOW_SIGMA) if flow else process.sigma_min
    last = own_min if sigma_min is None else sigma_min
    first = process.sigma_max if sigma_max is None else sigma_max
    if not last < first:
        raise InvalidInputError(f"sigma_min must be below sigma_max, not {last:g} and {first:g}")
    highest, lowest = _ratio(first, flow), _ratio(last, flow)
    if flow:
        highest = min(highest, _HIGHEST_FLOW_RATIO)
    weights = [i / (steps - 1) for i in range(1, steps - 1)]
    ratios = [((1 - w) * highest ** (1 / rho) + w * lowest ** (1 / rho)) ** rho for w in weights]
    inner = [r / (1 + r) for r in ratios] if flow else ratios
    return Grid((*[first, *inner, last][:steps], 0.0), process.frame)


def _ratio(sigma: float, flow: bool) -> float:
    """Return sigma / alpha, infinite at pure noise."""
    if not flow:
        return sigma
    return sigma / (1 - sigma) if sigma < 1 else math.inf
