"""Tables of betas: the share of variance that each training step replaces by noise."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

BetaSchedule = Literal["scaled_linear", "linear", "cosine", "sqrt"]

_OFFSET = 0.008
_MAX_BETA = 0.999


def betas(schedule: BetaSchedule, start: float, end: float, steps: int) -> NDArray[np.float64]:
    """Return the betas (steps,).

    The names are those of diffusers and, for 'sqrt', of CompVis' code:

    - scaled_linear: linear in sqrt(beta) (Rombach et al., arXiv:2112.10752; CompVis' 'linear').
    - linear: linear in beta (Ho et al., arXiv:2006.11239; CompVis' 'sqrt_linear').
    - cosine: abar after step k is cos^2((k / steps + 0.008) / 1.008 * pi / 2), with betas of at
      most 0.999 (Nichol and Dhariwal, arXiv:2102.09672, equation 17). It ignores start and end.
    - sqrt: the square roots of linear betas.
    """
    if schedule == "cosine":
        time = np.arange(steps + 1) / steps
        abar = np.cos((time + _OFFSET) / (1 + _OFFSET) * np.pi / 2) ** 2
        return np.minimum(1 - abar[1:] / abar[:-1], _MAX_BETA)
    if schedule == "scaled_linear":
        return np.square(np.linspace(start**0.5, end**0.5, steps))
    linear = np.linspace(start, end, steps)
    return linear if schedule == "linear" else np.sqrt(linear)
