import math
from itertools import pairwise

import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.options import read_options
from latelier.diffusion.processes.edm import EDM
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier_samplers.schedules.exponential import exponential

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PROCESSES = [VP(), EDM(), RectifiedFlow(), VP(zero_terminal_snr=True, prediction="x0")]
IDS = ["vp", "edm", "flow", "zero-snr"]


@pytest.mark.parametrize("process", PROCESSES, ids=IDS)
@pytest.mark.parametrize("steps", [1, 2, 3, 10, 1000])
def test_sigmas_run_from_the_highest_to_0(process, steps):
    grid = exponential(steps, process)
    assert grid.steps == steps
    assert grid.frame == process.frame
    assert (grid.sigmas[0], grid.sigmas[-1]) == (process.sigma_max, 0)


@pytest.mark.parametrize("process", PROCESSES, ids=IDS)
def test_the_log_of_the_signal_to_noise_ratio_is_evenly_spaced(process):
    grid = exponential(12, process)
    inner = grid.sigmas[1:-1]
    gaps = [grid.half_log_snr(b) - grid.half_log_snr(a) for a, b in pairwise(inner)]
    assert gaps == pytest.approx([gaps[0]] * len(gaps))
    if grid.frame == "flow":  # pure noise is moved from a ratio of 60
        assert grid.half_log_snr(inner[0]) - gaps[0] == pytest.approx(-math.log(60))
    else:
        first = grid.half_log_snr(inner[0]) - grid.half_log_snr(grid.sigmas[0])
        assert first == pytest.approx(gaps[0])


@pytest.mark.parametrize("rho", [0.5, 1.0, 2.0])
def test_polyexponential_equals_its_formula(rho):
    sigmas = exponential(9, EDM(), rho=rho).sigmas
    low, high = math.log(0.002), math.log(80)
    expected = [math.exp((1 - i / 8) ** rho * (high - low) + low) for i in range(9)]
    assert sigmas == pytest.approx([*expected, 0.0], rel=1e-10)


def test_parity_with_diffusers():
    diffusers = pytest.importorskip("diffusers")
    betas = {"beta_start": 0.0015, "beta_end": 0.0195, "beta_schedule": "scaled_linear"}
    scheduler = diffusers.EulerDiscreteScheduler(**betas, use_exponential_sigmas=True)
    scheduler.set_timesteps(13)
    torch.testing.assert_close(torch.tensor(exponential(13, VP()).sigmas), scheduler.sigmas)


def test_bounds_can_be_chosen():
    grid = exponential(5, RectifiedFlow(), sigma_min=0.05, sigma_max=0.6)
    assert (grid.sigmas[0], grid.sigmas[-2]) == (0.6, 0.05)


def test_invalid_steps_and_bounds_are_refused():
    with pytest.raises(InvalidInputError, match="at least 1 step, not 0"):
        exponential(0, VP())
    with pytest.raises(InvalidInputError, match="below sigma_max, not 20 and 10"):
        exponential(5, VP(), sigma_min=20.0, sigma_max=10.0)
    with pytest.raises(InvalidInputError, match="'flow' frame lie between 0 and 1"):
        exponential(5, RectifiedFlow(), sigma_max=1.5)
    with pytest.raises(InvalidInputError, match="rho"):
        read_options(exponential, {"rho": 0.0}, "schedule 'exponential'")
