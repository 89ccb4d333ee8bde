import math

import pytest

from latelier.contracts.errors import InvalidInputError
from latelier.diffusion.processes.edm import EDM
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier_samplers.schedules.align_your_steps import align_your_steps

STABLE_DIFFUSION = VP(beta_start=0.00085, beta_end=0.012)


def test_10_steps_equal_the_table_of_diffusers():
    schedulers = pytest.importorskip("diffusers.schedulers")
    published = schedulers.AysSchedules["StableDiffusionSigmas"]
    assert align_your_steps(10, STABLE_DIFFUSION).sigmas == pytest.approx(published, rel=1e-4)


def test_20_steps_interpolate_geometrically():
    ten, twenty = (align_your_steps(n, STABLE_DIFFUSION).sigmas for n in (10, 20))
    assert twenty[:-1:2] == pytest.approx(ten[:-1], rel=1e-4)
    means = [math.sqrt(a * b) for a, b in zip(ten[:-1], [*ten[1:-1], 0.029])]
    assert twenty[1::2] == pytest.approx(means, rel=1e-4)


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 50, 1000])
def test_every_step_count_runs_from_the_highest_sigma_to_0(steps):
    grid = align_your_steps(steps, STABLE_DIFFUSION)
    assert grid.steps == steps
    assert (grid.sigmas[0], grid.sigmas[-1]) == (STABLE_DIFFUSION.sigma_max, 0)


def test_the_prediction_does_not_matter():
    v = STABLE_DIFFUSION.model_copy(update={"prediction": "v"})
    assert align_your_steps(10, v) == align_your_steps(10, STABLE_DIFFUSION)


@pytest.mark.parametrize(
    "process",
    [
        VP(),
        VP(beta_start=0.00085, beta_end=0.012, zero_terminal_snr=True, prediction="v"),
        VP(beta_start=0.00085, beta_end=0.012, beta_schedule="linear"),
        EDM(sigma_min=0.0292, sigma_max=14.61),
        RectifiedFlow(),
    ],
    ids=["paper", "zero-snr", "linear", "edm", "flow"],
)
def test_unsupported_processes_are_refused(process):
    with pytest.raises(InvalidInputError, match=f"Diffusion 1.5.*not for '{process.kind}'"):
        align_your_steps(10, process)


def test_invalid_steps_are_refused():
    with pytest.raises(InvalidInputError, match="at least 1 step, not 0"):
        align_your_steps(0, STABLE_DIFFUSION)
