import math
from itertools import pairwise

import pytest
import torch

from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.frozen import validate
from latelier.diffusion.processes.vp import VP

ZERO = VP(zero_terminal_snr=True, prediction="v")


def abar(t, start=0.0015, end=0.0195, power=0.5):
    """The cumulated product in plain Python, for steps 0 ... t of 1000."""
    logs = []
    for k in range(t + 1):
        root = start**power + (end**power - start**power) * k / 999
        logs.append(math.log1p(-(root ** (1 / power))))
    return math.exp(math.fsum(logs))


@pytest.mark.parametrize("t", [0, 1, 37, 500, 981, 999])
@pytest.mark.parametrize(("schedule", "power"), [("scaled_linear", 0.5), ("linear", 1.0)])
def test_signal_to_noise_ratios_match_alphas_cumprod(t, schedule, power):
    sigma = VP(beta_schedule=schedule).sigmas[t]
    expected = abar(t, power=power)
    assert 1 / sigma**2 == pytest.approx(expected / (1 - expected), rel=1e-9)


def test_the_first_and_last_sigma_match_the_paper():
    process = VP()
    assert 1 / (1 + process.sigma_min**2) == pytest.approx(0.9985, abs=1e-12)
    assert process.sigma_max == pytest.approx(83.8, abs=0.05)
    assert VP(beta_start=0.00085, beta_end=0.012).sigma_max == pytest.approx(14.61, abs=0.01)


@pytest.mark.parametrize("process", [VP(), ZERO], ids=["vp", "zero-snr"])
def test_a_training_sigma_maps_to_its_exact_integer_step(process):
    assert all(a < b for a, b in pairwise(process.sigmas))
    for t in range(1000):
        time = process.timestep(process.sigma(t))
        assert time.dtype == torch.float32
        assert time.item() == t


@pytest.mark.parametrize("process", [VP(), ZERO], ids=["vp", "zero-snr"])
def test_t_is_linear_in_log_sigma_between_steps(process):
    for t in (0.25, 17.5, 998.75):
        assert process.timestep(process.sigma(t)).item() == pytest.approx(t, abs=1e-4)
    middle = math.sqrt(process.sigmas[40] * process.sigmas[41])
    assert process.timestep(middle).item() == pytest.approx(40.5, abs=1e-4)
    assert process.sigma(40.5) == pytest.approx(middle)


def test_nearest_rounding_rounds_t():
    process = VP(timestep_rounding="nearest")
    assert process.timestep(process.sigma(40.4)).item() == 40
    assert process.timestep(process.sigma(40.6)).item() == 41


def test_t_is_clamped_to_the_training_steps():
    process = VP()
    assert process.timestep(1e-3).item() == 0
    assert process.timestep(1e3).item() == 999


def test_timesteps_of_a_tensor_of_sigmas():
    process = VP()
    sigmas = torch.tensor([process.sigmas[3], process.sigma(7.5)], dtype=torch.float64)
    times = process.timestep(sigmas)
    assert times.dtype == torch.float32
    assert times.tolist() == pytest.approx([3, 7.5], abs=1e-4)


def test_zero_terminal_snr():
    assert ZERO.frame == "flow"
    assert ZERO.sigma_max == 1.0
    assert ZERO.timestep(1.0).item() == 999
    # Lin et al., Algorithm 1: the first step stays, the roots of abar are shifted and scaled.
    first, last, middle = (math.sqrt(abar(t)) for t in (0, 999, 500))
    signal = (middle - last) * first / (first - last)
    noise = math.sqrt(1 - signal**2)
    assert ZERO.sigmas[500] == pytest.approx(noise / (signal + noise), rel=1e-9)
    assert (1 - ZERO.sigmas[0]) / ZERO.sigmas[0] == pytest.approx(1 / VP().sigmas[0])


def test_zero_terminal_snr_cannot_predict_eps():
    with pytest.raises(InvalidConfigError, match="zero terminal SNR cannot predict eps"):
        validate(VP, {"zero_terminal_snr": True}, "process 'vp'")


def test_betas_whose_sigmas_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="do not increase between 0 and infinity"):
        VP(beta_start=0.5, beta_end=0.99)
    with pytest.raises(ValueError, match="do not increase between 0 and infinity"):
        VP(beta_start=1e-20, beta_end=1e-19)


def test_processes_are_compared_by_their_fields():
    first, second = VP(), VP()
    assert first.sigma_max == second.sigma_max
    assert first == second
    assert first != VP(steps=10)
