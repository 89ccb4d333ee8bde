"""The spacing of Karras et al. (arXiv:2206.00364, equation 5)."""

from typing import Annotated

from pydantic import Field

from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.processes.process import Process
from latelier_samplers.schedules.ratios import SigmaMax, SigmaMin, ramp, ratio_bounds


def karras(
    steps: int,
    process: Process,
    /,
    *,
    rho: Annotated[
        float, Field(ge=1, description="the higher, the more of the steps lie at low sigma")
    ] = 7.0,
    sigma_min: SigmaMin = None,
    sigma_max: SigmaMax = None,
) -> SigmaGrid:
    """Return `steps` sigmas, evenly spaced in sigma^(1 / rho), and a final 0.

    In the 'flow' frame sigma / (1 - sigma) is spaced: see `ratio_bounds`.

    Raises:
        InvalidInputError: `steps` is below 1, or the sigmas do not fit the frame or each other.
    """
    bounds = ratio_bounds("karras", steps, process, sigma_min, sigma_max)
    high, low = bounds.high ** (1 / rho), bounds.low ** (1 / rho)
    return bounds.to_sigmas([((1 - w) * high + w * low) ** rho for w in ramp(steps)])
