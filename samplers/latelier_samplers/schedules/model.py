"""The model's own training steps."""

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.processes.process import Process
from latelier.diffusion.processes.vp import VP

Spacing = Literal["leading", "trailing", "linspace"]


def model(
    steps: int,
    process: Process,
    /,
    *,
    spacing: Annotated[
        Spacing,
        Field(
            description="of the T training steps, every (T // steps)-th from the first on "
            "(leading: the highest may stay well below T) or every (T / steps)-th from the last "
            "down (trailing), or evenly from the last to the first (linspace)"
        ),
    ] = "trailing",
    offset: Annotated[
        int, Field(ge=0, description="added to every step; the paper has leading and 1")
    ] = 0,
    final: Annotated[
        Literal["zero", "first"],
        Field(description="where the run ends: sigma 0 or, as in the paper, the first step's"),
    ] = "zero",
) -> SigmaGrid:
    """Return the sigmas of `steps` training steps, spaced as in Lin et al. (arXiv:2305.08891).

    The paper's sampler has `spacing="leading", offset=1, final="first"`: 981, 961 ... 1 for 50
    steps. A VP model knows whole steps only, so they are rounded; rectified flow takes any.

    Raises:
        InvalidInputError: the process has no training steps, or not so many.
    """
    count = process.training_steps
    if count is None:
        raise InvalidInputError(
            f"the schedule 'model' needs training steps, and the process '{process.kind}' has "
            "none; use the schedule 'karras'"
        )
    if not 1 <= steps <= count:
        raise InvalidInputError(
            f"the schedule 'model' makes 1 to {count} steps, as many as the process "
            f"'{process.kind}' was trained with, not {steps}"
        )
    whole = np.round if isinstance(process, VP) else np.asarray
    chosen = (_spaced(spacing, steps, count, whole) + offset).tolist()
    what = f"{steps} steps of spacing '{spacing}' with offset {offset}"
    if chosen[0] > count - 1:
        raise InvalidInputError(
            f"{what} begin at training step {chosen[0]:g}, and the last is {count - 1}; use a "
            "lower offset or fewer steps"
        )
    if final == "first" and chosen[-1] == 0:
        raise InvalidInputError(
            f"{what} reach the first training step by themselves; use final 'zero', or spacing "
            "'leading' with offset 1"
        )
    first = float(process.timestep(process.sigma_min))
    end = 0.0 if final == "zero" else process.sigma_min
    return SigmaGrid((*(process.sigma(first + k) for k in chosen), end), process.frame)


def _spaced(
    spacing: Spacing, steps: int, count: int, whole: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return the chosen steps (steps,), counted from 0, the highest first."""
    if spacing == "leading":
        return np.arange(steps)[::-1] * (count // steps)
    if spacing == "trailing":
        # Rounding errors make np.arange give one step too many at times.
        return whole(np.arange(count, 0, -count / steps)[:steps]) - 1
    lowest = 0 if steps > 1 else count - 1
    return whole(np.linspace(lowest, count - 1, steps)[::-1])
