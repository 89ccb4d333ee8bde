from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.options import read_options
from latelier.diffusion.processes.edm import EDM
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier_samplers.schedules.beta import beta
from latelier_samplers.schedules.model import model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PROCESSES = [VP(), EDM(), RectifiedFlow(), VP(zero_terminal_snr=True, prediction="x0")]
IDS = ["vp", "edm", "flow", "zero-snr"]


def quantile(share, a, b):
    """Found by halving on another evaluation of the incomplete beta function."""
    if share in (0, 1):
        return float(share)
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        if mpmath.betainc(a, b, 0, middle, regularized=True) < share:
            low = middle
        else:
            high = middle
    return low


def times(grid, process):
    return [float(process.timestep(sigma)) for sigma in grid.sigmas[:-1]]


@pytest.mark.parametrize("process", PROCESSES, ids=IDS)
@pytest.mark.parametrize("steps", [1, 2, 3, 10, 20])
def test_sigmas_run_from_the_highest_through_the_lowest_to_0(process, steps):
    grid = beta(steps, process)
    assert grid.steps == steps
    assert grid.frame == process.frame
    assert (grid.sigmas[0], grid.sigmas[-1]) == (process.sigma_max, 0)
    assert steps == 1 or grid.sigmas[-2] == process.sigma_min


def test_vp_steps_are_integers_at_the_quantiles():
    process = VP()
    expected = [round(999 * quantile(1 - i / 9, 0.6, 0.6)) for i in range(10)]
    assert times(beta(10, process), process) == expected


def test_duplicate_steps_are_merged():
    process = VP()
    grid = beta(1000, process)
    assert 700 < grid.steps < 1000
    assert len(set(times(grid, process))) == grid.steps
    tiny = beta(500, EDM(), alpha=0.05, beta=0.05)
    assert 2 < tiny.steps < 500


@pytest.mark.parametrize("process", [VP(), RectifiedFlow()], ids=["vp", "flow"])
def test_shape_1_is_uniform_in_t(process):
    even = model(10, process, spacing="linspace")
    assert beta(10, process, alpha=1.0, beta=1.0).sigmas == pytest.approx(even.sigmas, rel=1e-6)


def test_alpha_and_beta_shape_the_two_ends():
    process = RectifiedFlow()
    at_low_noise = beta(9, process, alpha=0.3, beta=2.0).sigmas
    at_high_noise = beta(9, process, alpha=2.0, beta=0.3).sigmas
    assert at_low_noise[4] < 0.2
    assert at_high_noise[4] > 0.8


def test_the_process_without_training_steps_has_quantiles_in_log_sigma():
    inner = np.log(beta(6, EDM()).sigmas[:-1])
    low, high = np.log([0.002, 80.0])
    expected = [low + (high - low) * quantile(1 - i / 5, 0.6, 0.6) for i in range(6)]
    np.testing.assert_allclose(inner, expected, atol=1e-6)


class TestDiffusers:
    """Its quantiles come from scipy, which need not be there: they are given by the test."""

    @pytest.fixture
    def diffusers(self, monkeypatch):
        diffusers = pytest.importorskip("diffusers")
        scipy = SimpleNamespace(stats=SimpleNamespace(beta=SimpleNamespace(ppf=quantile)))
        for name in ("euler_discrete", "flow_match_euler_discrete"):
            module = getattr(diffusers.schedulers, f"scheduling_{name}")
            monkeypatch.setattr(module, "is_scipy_available", lambda: True)
            monkeypatch.setattr(module, "scipy", scipy, raising=False)
        return diffusers

    def test_parity_in_the_flow_frame(self, diffusers):
        scheduler = diffusers.FlowMatchEulerDiscreteScheduler(use_beta_sigmas=True)
        scheduler.set_timesteps(7)
        ours = torch.tensor(beta(7, RectifiedFlow()).sigmas)
        torch.testing.assert_close(ours, scheduler.sigmas, rtol=1e-5, atol=1e-6)

    def test_diffusers_takes_vp_quantiles_in_sigma_and_the_paper_in_t(self, diffusers):
        betas = {"beta_start": 0.0015, "beta_end": 0.0195, "beta_schedule": "scaled_linear"}
        scheduler = diffusers.EulerDiscreteScheduler(**betas, use_beta_sigmas=True)
        scheduler.set_timesteps(7)
        process = VP()
        low, high = process.sigma_min, process.sigma_max
        in_sigma = [low + (high - low) * quantile(1 - i / 6, 0.6, 0.6) for i in range(7)]
        torch.testing.assert_close(torch.tensor([*in_sigma, 0.0]), scheduler.sigmas)
        assert sum(sigma > 10 for sigma in in_sigma) == 5
        assert sum(sigma > 10 for sigma in beta(7, process).sigmas) == 2


@pytest.mark.parametrize(
    ("steps", "process", "said"),
    [
        (0, VP(), "at least 1 step, not 0"),
        (1001, VP(), "1 to 1000 steps.*'vp' was trained with, not 1001"),
        (1001, RectifiedFlow(), "'rectified_flow' was trained with, not 1001"),
    ],
)
def test_invalid_steps_are_refused(steps, process, said):
    with pytest.raises(InvalidInputError, match=said):
        beta(steps, process)


@pytest.mark.parametrize("options", [{"alpha": 0.0}, {"beta": 100.0}])
def test_shapes_out_of_range_are_refused(options):
    with pytest.raises(InvalidInputError, match=next(iter(options))):
        read_options(beta, options, "schedule 'beta'")
