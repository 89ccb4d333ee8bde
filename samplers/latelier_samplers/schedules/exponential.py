"""Sigmas spaced in their logarithm: 'exponential', 'log_snr', 'polyexponential'."""

from typing import Annotated

from pydantic import Field

from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.processes.process import Process
from latelier_samplers.schedules.ratios import SigmaMax, SigmaMin, ramp, resolve_ends


def exponential(
    steps: int,
    process: Process,
    /,
    *,
    rho: Annotated[
        float,
        Field(
            gt=0,
            le=1000,
            description="above 1 more of the steps are for fine detail, at low sigma, below 1 for "
            "rough shapes",
        ),
    ] = 1.0,
    sigma_min: SigmaMin = None,
    sigma_max: SigmaMax = None,
) -> SigmaGrid:
    """Return `steps` sigmas whose logarithm falls as 1 - (1 - t)^rho over the run, and a final 0.

    With rho 1 the sigmas are a geometric sequence ('exponential'), which is uniform in the
    logarithm of the signal-to-noise ratio ('log_snr': Lu et al., arXiv:2206.00927, section 3.3),
    since that is -2 log(sigma) in the 've' frame. With another rho it is 'polyexponential'. In the
    'flow' frame sigma / (1 - sigma) is spaced in the same ways: see `resolve_ends`.

    Raises:
        InvalidInputError: `steps` is below 1, or the sigmas do not fit the frame or each other.
    """
    ends = resolve_ends(process, sigma_min, sigma_max)
    span = ends.max_ratio / ends.min_ratio
    ratios = [ends.min_ratio * span ** ((1 - t) ** rho) for t in ramp(steps)]  # t: 0 ... 1
    return SigmaGrid((*ends.to_sigmas(ratios), 0.0), process.frame)
