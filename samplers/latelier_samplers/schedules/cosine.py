"""The spacing of the cosine noise schedule (Nichol and Dhariwal, arXiv:2102.09672)."""

import math

from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.processes.process import Process
from latelier_samplers.schedules.ratios import SigmaMax, SigmaMin, ramp, resolve_ends


def cosine(
    steps: int,
    process: Process,
    /,
    *,
    sigma_min: SigmaMin = None,
    sigma_max: SigmaMax = None,
) -> SigmaGrid:
    """Return `steps` sigmas at evenly spaced angles arctan(sigma / alpha), and a final 0.

    At unit variance alpha is the cosine of this angle and sigma its sine (Salimans and Ho,
    arXiv:2202.00512, section 4). So these are even steps in the time of a model whose alpha falls
    as a cosine, whatever noise schedule the model was trained with.

    Raises:
        InvalidInputError: `steps` is below 1, or the sigmas do not fit the frame or each other.
    """
    ends = resolve_ends(process, sigma_min, sigma_max)
    max_angle, min_angle = math.atan(ends.max_ratio), math.atan(ends.min_ratio)
    ratios = [math.tan((1 - t) * max_angle + t * min_angle) for t in ramp(steps)]  # t: 0 ... 1
    return SigmaGrid((*ends.to_sigmas(ratios), 0.0), process.frame)
