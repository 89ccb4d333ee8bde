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
        float, Field(ge=1, le=1000, description="higher values put more steps at low sigma")
    ] = 7.0,
    sigma_min: SigmaMin = None,
    sigma_max: SigmaMax = None,
) -> SigmaGrid:
    """Return `steps` sigmas from sigma_max to sigma_min, evenly spaced in sigma^(1 / rho), and a 0.

    For flow models the spacing applies to sigma / (1 - sigma); see `ratio_bounds`.

    Raises:
        InvalidInputError: `steps` is below 1, or sigma_min and sigma_max are out of range or order.
    """
    bounds = ratio_bounds("karras", steps, process, sigma_min, sigma_max)
    max_root, min_root = bounds.high ** (1 / rho), bounds.low ** (1 / rho)
    spaced = [((1 - w) * max_root + w * min_root) ** rho for w in ramp(steps)]  # w: 0 ... 1
    return bounds.to_sigmas(spaced)  # appends the final 0
