"""Sigmas from a list, such as those tuned for a model."""

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
        tuple[Annotated[float, Field(ge=0, le=1e6)], ...],
        Field(min_length=2, description="one more than there are steps, decreasing, the last 0"),
    ],
) -> SigmaGrid:
    """Return these sigmas, in the process's frame.

    Raises:
        InvalidInputError: they are for another number of steps, do not decrease, or lie outside the
            frame.
    """
    if steps != len(sigmas) - 1:
        raise InvalidInputError(
            f"the schedule 'fixed' has {len(sigmas)} sigmas, for {len(sigmas) - 1} steps, not "
            f"{steps}"
        )
    return SigmaGrid(sigmas, process.frame)
