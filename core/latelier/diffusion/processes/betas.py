"""Tables of betas: the share of variance that each training step replaces by noise."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

BetaSchedule = Literal["sqrt", "linear", "cosine", "root"]

_OFFSET = 0.008

_GREATEST = 0.999


def betas(schedule: BetaSchedule, start: float, end: float, steps: int) -> NDArray[np.float64]:
    """Return the betas (steps,).

    sqrt: linear in sqrt(beta) (Rombach et al., arXiv:2112.10752). linear: linear in beta (Ho et
    al., arXiv:2006.11239). root: the square roots of a linear table. cosine: what makes abar at
    step k cos^2((k / steps + 0.008) / 1.008 * pi / 2), at most 0.999 (Nichol and Dhariwal,
    arXiv:2102.09672, equation 17); it has no use for start and end.
    """
    if schedule == "cosine":
        time = np.arange(steps + 1) / steps
        abar = np.cos((time + _OFFSET) / (1 + _OFFSET) * np.pi / 2) ** 2
        table: NDArray[np.float64] = np.minimum(1 - abar[1:] / abar[:-1], _GREATEST)
        return table
    if schedule == "sqrt":
        return np.square(np.linspace(start**0.5, end**0.5, steps))
    linear = np.linspace(start, end, steps)
    return linear if schedule == "linear" else np.sqrt(linear)
