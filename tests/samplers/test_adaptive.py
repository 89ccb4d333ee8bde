"""Steps by their error, for each image its own."""

import math

import pytest
import torch

from latelier.contracts import frames
from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.predict import Predictor
from latelier.diffusion.processes.edm import EDM
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier_samplers.adaptive import adaptive
from latelier_samplers.schedules.karras import karras

ZERO_SNR = VP(zero_terminal_snr=True, prediction="v")
PROCESSES = [EDM(), RectifiedFlow(), ZERO_SNR, VP()]
IDS = ["edm", "flow", "zero-snr", "vp"]
MEANS = torch.tensor([-1.0, 0.2, 1.0], dtype=torch.float64)
STD = 0.2


class Mixture:
    """Numbers near one of three; counts its calls and the sigmas of each image."""

    def __init__(self, frame):
        self.frame, self.calls, self.lowest = frame, 0, math.inf

    def __call__(self, x, sigma):
        self.calls += 1
        self.lowest = min(self.lowest, sigma.min().item())
        sigma = frames.per_image(sigma, x)
        a = frames.alpha(self.frame, sigma)
        variance = a**2 * STD**2 + sigma**2
        off = x[..., None] - (a * MEANS if isinstance(a, float) else a[..., None] * MEANS)
        share = torch.softmax(-(off**2) / (2 * variance[..., None]), -1)
        return (share * (MEANS + (a * STD**2 / variance)[..., None] * off)).sum(-1)


def noise(count, dtype=torch.float64):
    draws = [
        torch.randn(1, 6, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        for seed in range(count)
    ]
    return torch.stack(draws).to(dtype)


def end(denoise, process, grid, eps, **options):
    x = process.initial(eps, grid.sigmas[0])
    *_, step = adaptive(denoise, x, grid, **options)
    return step.x


@pytest.mark.parametrize("process", PROCESSES, ids=IDS)
def test_the_error_depends_on_the_tolerance_and_not_on_the_grid(process):
    def error(steps, tolerance):
        x = end(Mixture(process.frame), process, karras(steps, process), eps, tolerance=tolerance)
        return ((x - exact).norm() / exact.norm()).item()

    eps = noise(4)
    exact = end(Mixture(process.frame), process, karras(2, process), eps, tolerance=1e-6)
    for steps in (1, 12):
        errors = [error(steps, tolerance) for tolerance in (1e-2, 1e-3, 1e-4)]
        assert errors[0] < 0.3
        assert errors[1] < 0.03
        assert errors[2] < 0.003


@pytest.mark.parametrize("process", PROCESSES, ids=IDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bits_of_an_image_do_not_depend_on_the_batch(process, dtype):
    grid, eps = karras(3, process), noise(5, dtype)
    eps[3] *= 1e-3  # as easy as can be: it waits for the others
    together = end(Mixture(process.frame), process, grid, eps)
    for k in range(5):
        assert torch.equal(
            together[k : k + 1], end(Mixture(process.frame), process, grid, eps[k : k + 1])
        )
    assert torch.equal(end(Mixture(process.frame), process, grid, eps.flip(0)), together.flip(0))


def test_images_have_their_own_step_sizes():
    different = []

    def denoise(x, sigma):
        different.append(len(set(sigma.tolist())) > 1)
        return Mixture("ve")(x, sigma)

    end(denoise, EDM(), karras(2, EDM()), noise(3))
    assert any(different)


def test_a_smaller_tolerance_needs_more_calls():
    calls = []
    for tolerance in (1e-1, 1e-2, 1e-3, 1e-4):
        denoise = Mixture("ve")
        end(denoise, EDM(), karras(2, EDM()), noise(1), tolerance=tolerance)
        calls.append(denoise.calls)
    assert calls == sorted(set(calls))
    assert calls[1] < 80


def test_the_step_to_sigma_0_is_controlled_too():
    """From sigma 1 a single step would be Euler's; the model is not called at sigma 0."""
    denoise, grid = Mixture("ve"), SigmaGrid((1.0, 0.0), "ve")
    x = MEANS[1] + noise(1)
    *_, step = adaptive(denoise, x, grid, tolerance=1e-4)
    assert 0 < denoise.lowest < 0.1
    *_, fine = adaptive(denoise, x, SigmaGrid((1.0, 0.1, 0.0), "ve"), tolerance=1e-6)
    assert (step.x - fine.x).abs().max() < 1e-3


def test_a_non_finite_model_ends_the_run():
    """The result is not a number, and the run ends."""
    calls = []

    def denoise(x, sigma):
        calls.append(sigma)
        return x * torch.nan

    x = end(denoise, EDM(), karras(3, EDM()), noise(2))
    assert x.isnan().all()
    assert len(calls) < 100


def test_one_non_finite_image_does_not_affect_others():
    def denoise(x, sigma):
        x0 = Mixture("ve")(x, sigma)
        x0[x.abs().flatten(1).amax(1) > 1e4] = torch.nan
        return x0

    eps = noise(3)
    bad = eps.clone()
    bad[1] *= 1e6
    x = end(denoise, EDM(), karras(3, EDM()), bad)
    assert x[1].isnan().all()
    whole = end(denoise, EDM(), karras(3, EDM()), eps)
    assert torch.equal(x[[0, 2]], whole[[0, 2]])


def test_an_unreachable_tolerance_ends_the_run():
    calls = []

    def denoise(x, sigma):
        calls.append(sigma)
        return torch.full_like(x, (-1.0) ** len(calls))

    grid = SigmaGrid((1.0, 0.5), "ve")
    *_, step = adaptive(denoise, noise(1), grid, tolerance=1e-9)
    assert step.x.isfinite().all()
    assert len(calls) < 3 * 750


@pytest.mark.parametrize("process", PROCESSES, ids=IDS)
def test_a_predictor_receives_a_timestep_per_image(process):
    """Which gives the network a t for each image."""
    times = []

    class Network:
        config = DenoiserConfig()

        def __call__(self, x, t, condition, control=None):
            times.append(t)
            return torch.tanh(x * (1 + t.double().view(-1, 1, 1, 1).cos() / 2))

    predict = Predictor(Network(), process, torch.float64)
    x = end(lambda x, s: predict(x, s, [Condition()])[0], process, karras(3, process), noise(3))
    assert x.isfinite().all()
    assert all(t.shape == (3,) and t.isfinite().all() for t in times)
