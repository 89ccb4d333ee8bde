"""The spacing of Karras et al. (arXiv:2206.00364, equation 5)."""

from typing import Annotated

from pydantic import Field

from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.processes.process import Process
from latelier_samplers.schedules.ratios import SigmaMax, SigmaMin, ramp, resolve_ends

Rho = Annotated[
    float,
    Field(ge=1, le=1000, description="higher values put more steps on fine detail, at low sigma"),
]


def karras(
    steps: int,
    process: Process,
    /,
    *,
    rho: Rho = 7.0,
    sigma_min: SigmaMin = None,
    sigma_max: SigmaMax = None,
) -> SigmaGrid:
    """Return the sigmas of equation 5, from sigma_max down to sigma_min, and a final 0.

    sigma_i = ((1 - t) * sigma_max^(1/rho) + t * sigma_min^(1/rho))^rho,  t = i / (steps - 1)

    Flow models (alpha = 1 - sigma) have sigma / alpha spaced so; elsewhere that is sigma itself.

    Raises:
        InvalidInputError: `steps` is below 1, or sigma_min and sigma_max are out of range or order.
    """
    ends = resolve_ends(process, sigma_min, sigma_max)  # None: the process's own
    max_inv_rho = ends.max_ratio ** (1 / rho)
    min_inv_rho = ends.min_ratio ** (1 / rho)
    ratios = [((1 - t) * max_inv_rho + t * min_inv_rho) ** rho for t in ramp(steps)]
    sigmas = ends.to_sigmas(ratios)  # the first is exactly sigma_max, the last sigma_min
    return SigmaGrid((*sigmas, 0.0), process.frame)
