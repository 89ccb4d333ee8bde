"""The spacing of the cosine noise schedule (Nichol and Dhariwal, arXiv:2102.09672)."""

import math

from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.processes.process import Process
from latelier_samplers.schedules.ratios import SigmaMax, SigmaMin, spaced


def cosine(
    steps: int,
    process: Process,
    /,
    *,
    sigma_min: SigmaMin = None,
    sigma_max: SigmaMax = None,
) -> SigmaGrid:
    """Return `steps` sigmas at evenly spaced angles arctan(sigma / alpha), and a final 0.

    At unit variance alpha is the cosine of that angle and sigma its sine (Salimans and Ho,
    arXiv:2202.00512, section 4): these are even steps in the time of a model whose alpha falls as a
    cosine, whatever noise schedule the model at hand was trained with.

    Raises:
        InvalidInputError: steps below 1, or sigmas that do not fit the frame or each other.
    """

    def ratio(w: float, highest: float, lowest: float) -> float:
        return math.tan((1 - w) * math.atan(highest) + w * math.atan(lowest))

    return spaced("cosine", steps, process, sigma_min, sigma_max, ratio)
