"""Sigmas that somebody chose, such as those tuned for a model."""

from typing import Annotated

from pydantic import Field

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.processes.process import Process


def fixed(
    steps: int,
    process: Process,
    /,
    *,
    sigmas: Annotated[
        tuple[float, ...],
        Field(min_length=2, description="one more than there are steps, decreasing, the last 0"),
    ],
) -> SigmaGrid:
    """Return these sigmas, in the process's frame.

    Raises:
        InvalidInputError: they are of another number of steps, or not of the frame.
    """
    made = len(sigmas) - 1
    if steps != made:
        raise InvalidInputError(
            f"the schedule 'fixed' has {len(sigmas)} sigmas, for {made} steps, not {steps}"
        )
    return SigmaGrid(sigmas, process.frame)
