"""The steps of the paper's own code (Rombach et al., arXiv:2112.10752), faults included."""

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.processes.process import Process
from latelier.diffusion.processes.vp import VP

Spacing = Literal["uniform", "quad"]


def compvis(
    steps: int,
    process: Process,
    /,
    *,
    spacing: Annotated[
        Spacing,
        Field(
            description="of the T training steps, every (T // steps)-th from 1 on (uniform), or "
            "the squares of numbers evenly spaced up to sqrt(0.8 T), and 1 (quad)"
        ),
    ] = "uniform",
) -> SigmaGrid:
    """Return the sigmas of the steps of the published results.

    uniform: 0, c, 2c ... below T, c = T // steps, each + 1: 981, 961 ... 1 for 50 of 1000. Their
    number is ceil(T / c), which may be more than `steps`: 84 for 81. quad: the published list may
    begin with several 1s. DDIM does not move at a repeated step, so 1 stands once here, and there
    may be fewer than `steps`. Both end at the sigma of training step 0, not at sigma 0.

    The schedule 'model' makes the steps without these faults: its spacing 'trailing' begins at the
    last training step, 'leading' with offset 1 makes exactly `steps`, and final 'zero' ends at 0.

    Raises:
        InvalidInputError: the process is not VP, or the paper's code fails with so many steps; says
            the nearest numbers that work.
    """
    if not isinstance(process, VP):
        raise InvalidInputError(
            f"the schedule 'compvis' is for the process 'vp', not '{process.kind}'; use 'model' or "
            "'karras'"
        )
    count, choose = process.steps, _SPACINGS[spacing]
    if not 1 <= steps <= count:
        raise InvalidInputError(f"the schedule 'compvis' makes 1 to {count} steps, not {steps}")
    chosen = choose(steps, count)
    if chosen[-1] >= count:
        works = [near for near in range(1, count) if choose(near, count)[-1] < count]
        below = [near for near in works if near < steps][-1:]
        above = [near for near in works if near > steps][:1]
        raise InvalidInputError(
            f"the schedule 'compvis' reaches training step {count} with {steps} steps, and the "
            f"last is {count - 1}: the paper's code fails there; the nearest that work: "
            f"{' and '.join(map(str, below + above)) or 'none'}"
        )
    sigmas = [process.sigma(step) for step in reversed(chosen)]
    return SigmaGrid((*sigmas, process.sigma_min), process.frame)


def _uniform(steps: int, count: int) -> list[int]:
    """Return the chosen training steps, increasing."""
    return [step + 1 for step in range(0, count, count // steps)]


def _quad(steps: int, count: int) -> list[int]:
    roots = np.linspace(0, np.sqrt(count * 0.8), steps)
    return [step + 1 for step in dict.fromkeys((roots**2).astype(int).tolist())]


_SPACINGS: dict[Spacing, Callable[[int, int], list[int]]] = {"uniform": _uniform, "quad": _quad}
