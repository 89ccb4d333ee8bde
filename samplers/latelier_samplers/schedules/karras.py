"""The spacing of Karras et al. (arXiv:2206.00364, equation 5)."""

from typing import Annotated

from pydantic import Field

from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.processes.process import Process
from latelier_samplers.schedules.ratios import SigmaMax, SigmaMin, spaced


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

    In the flow frame what is spaced is sigma / (1 - sigma): see `spaced`.

    Raises:
        InvalidInputError: steps below 1, or sigmas that do not fit the frame or each other.
    """

    def ratio(w: float, highest: float, lowest: float) -> float:
        return float(((1 - w) * highest ** (1 / rho) + w * lowest ** (1 / rho)) ** rho)

    return spaced("karras", steps, process, sigma_min, sigma_max, ratio)
