"""Sigmas that somebody chose."""

import pytest

from latelier.contracts.errors import InvalidInputError
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier_samplers.schedules.fixed import fixed


@pytest.mark.parametrize("process", [VP(), RectifiedFlow()])
def test_sigmas_are_used_unchanged(process):
    grid = fixed(2, process, sigmas=(0.9, 0.5, 0.0))
    assert (grid.sigmas, grid.frame) == ((0.9, 0.5, 0.0), process.frame)


@pytest.mark.parametrize(
    ("process", "steps", "sigmas", "why"),
    [
        (VP(), 3, (9.0, 1.0, 0.0), "3 sigmas, for 2 steps, not 3"),
        (VP(), 2, (1.0, 9.0, 0.0), "sigmas must decrease"),
        (RectifiedFlow(), 2, (9.0, 1.0, 0.0), "lie between 0 and 1"),
    ],
)
def test_invalid_sigmas_are_refused(process, steps, sigmas, why):
    with pytest.raises(InvalidInputError, match=why):
        fixed(steps, process, sigmas=sigmas)
