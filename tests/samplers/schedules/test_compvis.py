"""The original's step lists, and the step counts at which it fails."""

import math

import numpy as np
import pytest

from latelier.contracts.errors import InvalidInputError
from latelier.diffusion.processes.edm import EDM
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier_samplers.schedules.compvis import compvis
from latelier_samplers.schedules.model import model

FAILING = {3, 9, 27, 36, 37, *range(101, 112), *range(251, 334), *range(501, 1001)}


def times(grid, process):
    return [float(process.timestep(sigma)) for sigma in grid.sigmas]


@pytest.mark.parametrize(
    ("steps", "highest", "count"),
    [(50, 981, 50), (20, 951, 20), (200, 996, 200), (250, 997, 250), (10, 901, 10)],
)
def test_step_lists_match_the_publication(steps, highest, count):
    process = VP()
    grid = compvis(steps, process)
    assert times(grid, process)[0] == highest
    assert times(grid, process)[-2:] == [1, 0]
    assert grid.steps == count
    assert grid.sigmas[-1] == process.sigmas[0] > 0


@pytest.mark.parametrize(("steps", "made"), [(81, 84), (400, 500), (300 + 34, 500), (15, 16)])
def test_there_may_be_more_steps_than_requested(steps, made):
    assert compvis(steps, VP()).steps == made


def test_exactly_the_counts_that_fail_in_the_original_are_refused():
    refused = set()
    for steps in range(1, 1001):
        try:
            grid = compvis(steps, VP())
        except InvalidInputError:
            refused.add(steps)
        else:
            assert grid.steps == math.ceil(1000 / (1000 // steps))
    assert refused == FAILING


@pytest.mark.parametrize(
    ("steps", "nearest"), [(3, "2 and 4"), (105, "100 and 112"), (300, "250 and 334")]
)
def test_errors_name_the_nearest_valid_counts(steps, nearest):
    with pytest.raises(
        InvalidInputError, match=f"training step 1000.*nearest that work: {nearest}"
    ):
        compvis(steps, VP())
    for near in nearest.split(" and "):
        compvis(int(near), VP())


def test_the_error_names_a_lower_count_if_no_higher_is_valid():
    with pytest.raises(InvalidInputError, match=r"nearest that work: 500$"):
        compvis(1000, VP())


@pytest.mark.parametrize("steps", [1, 2, 10, 29, 50, 300])
def test_quadratic_spacing_matches_the_original_without_repeats(steps):
    """Repeated steps, at which DDIM stands still, are there once."""
    published = (np.linspace(0, np.sqrt(1000 * 0.8), steps) ** 2).astype(int) + 1
    process = VP()
    made = times(compvis(steps, process, spacing="quad"), process)
    assert made == [*np.unique(published)[::-1], 0]
    assert (len(made) - 1 < steps) == (steps > 29)


def test_steps_equal_the_corrected_schedule_at_regular_counts():
    process = VP()
    paper = model(50, process, spacing="leading", offset=1, final="first")
    assert compvis(50, process) == paper
    assert model(81, process, spacing="leading", offset=1, final="first").steps == 81
    assert model(3, process).sigmas[0] == process.sigma_max > compvis(4, process).sigmas[0]


@pytest.mark.parametrize(
    ("steps", "process", "said"),
    [
        (0, VP(), "1 to 1000 steps, not 0"),
        (1001, VP(), "1 to 1000 steps, not 1001"),
        (10, EDM(), "for the process 'vp', not 'edm'; use 'model' or 'karras'"),
        (10, RectifiedFlow(), "not 'rectified_flow'"),
    ],
)
def test_invalid_steps_and_processes_are_refused(steps, process, said):
    with pytest.raises(InvalidInputError, match=said):
        compvis(steps, process)


def test_zero_terminal_snr_uses_the_flow_frame():
    process = VP(zero_terminal_snr=True, prediction="v")
    grid = compvis(10, process)
    assert grid.frame == "flow"
    assert times(grid, process)[0] == 901
