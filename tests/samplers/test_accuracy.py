"""Against Gaussian data, for which the denoiser and the way of every x are known exactly."""

from dataclasses import dataclass
from functools import partial

import pytest
import torch

from latelier.contracts import frames
from latelier.contracts.sampling import run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.processes.edm import EDM
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier_samplers.adaptive import adaptive
from latelier_samplers.ddim import ddim
from latelier_samplers.ddpm import ddpm
from latelier_samplers.deis import deis
from latelier_samplers.dpmpp_2m import dpmpp_2m
from latelier_samplers.heun import heun
from latelier_samplers.ipndm import ipndm
from latelier_samplers.lms import lms
from latelier_samplers.plms import plms
from latelier_samplers.schedules.karras import karras
from latelier_samplers.schedules.model import model
from latelier_samplers.unipc import unipc

FRAMES = ["ve", "flow"]
LOOKING_BACK = (ipndm, lms, plms)
"""In the step to sigma 0 as well."""
ZERO_SNR = VP(zero_terminal_snr=True, prediction="v")
MEAN = torch.tensor([0.3, -0.5, 0.1, 0.8], dtype=torch.float64)
STD = torch.tensor([0.1, 0.4, 0.9, 1.3], dtype=torch.float64)


@dataclass(frozen=True)
class Gaussian:
    """Independent normal numbers of MEAN and STD, in a frame."""

    frame: str

    def denoise(self, x, sigma):
        sigma = frames.per_image(sigma, x)
        a = frames.alpha(self.frame, sigma)
        return MEAN + a * STD**2 / (a**2 * STD**2 + sigma**2) * (x - a * MEAN)

    def at(self, z, sigma):
        """Return x at `sigma` on the way that belongs to the standard normal z."""
        a = frames.alpha(self.frame, sigma)
        return a * MEAN + (a**2 * STD**2 + sigma**2).sqrt() * z


def last(steps):
    *_, step = steps
    return step


def from_10_to_005(frame, steps):
    """Power-7 spacing of sigma / alpha."""
    high, low = 10 ** (1 / 7), 0.05 ** (1 / 7)
    ratios = [(high + i / steps * (low - high)) ** 7 for i in range(steps + 1)]
    return SigmaGrid(ratios if frame == "ve" else [r / (1 + r) for r in ratios], frame)


@pytest.mark.parametrize(
    "sampler_",
    [
        partial(ddim, eta=0.0),
        partial(ddim, eta=0.7),
        partial(ddpm, variance=0.4),
        dpmpp_2m,
        partial(deis, order=3),
        partial(unipc, order=3),
        partial(unipc, order=2, variant="bh1"),
    ],
)
def test_samplers_in_half_log_snr_do_not_depend_on_the_frame(sampler_):
    z = torch.randn(16, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ends = []
    for frame in FRAMES:
        problem = Gaussian(frame)
        grid = from_10_to_005(frame, 10)
        x = problem.at(z, grid.sigmas[0])
        step = last(run_sampler(sampler_, problem.denoise, x, grid, lambda *_: z.flip(0)))
        ends.append(step.x / grid.alpha(step.sigma))
    torch.testing.assert_close(*ends, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("process", [RectifiedFlow(), ZERO_SNR], ids=["flow", "zero-snr"])
def test_ten_heun_steps_from_pure_noise_are_accurate(process):
    problem = Gaussian("flow")
    grid = karras(10, process)
    assert grid.sigmas[0] == 1
    noise = torch.randn(256, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = last(heun(problem.denoise, process.initial(noise, 1.0), grid)).x
    exact = problem.at(noise, 0.0)
    assert (x - exact).norm() / exact.norm() < 0.05


@pytest.mark.parametrize("process", [RectifiedFlow(), ZERO_SNR], ids=["flow", "zero-snr"])
@pytest.mark.parametrize("schedule", [karras, model])
@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_every_sampler_starts_from_pure_noise(sampler, process, schedule, steps):
    problem = Gaussian("flow")
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(256, 4, dtype=torch.float64, generator=generator)
    done = list(
        run_sampler(
            sampler,
            problem.denoise,
            x,
            schedule(steps, process),
            lambda *_: torch.randn(256, 4, generator=generator),
        )
    )
    assert all(step.x.isfinite().all() for step in done)
    if sampler.func is not adaptive and (sampler.func not in LOOKING_BACK or steps == 1):
        torch.testing.assert_close(done[-1].x, done[-1].denoised)
    if steps == 1 and sampler.func is not adaptive:
        torch.testing.assert_close(done[0].x, MEAN.expand(256, 4))
    if steps == 10:
        torch.testing.assert_close(done[-1].x.mean(0), MEAN, atol=0.25, rtol=0)


@pytest.mark.parametrize("process", [RectifiedFlow(), ZERO_SNR], ids=["flow", "zero-snr"])
@pytest.mark.parametrize(
    "sampler_",
    [
        partial(deis, order=3),
        partial(unipc, order=1, variant="bh1"),
        partial(unipc, order=2, variant="bh1"),
        partial(unipc, order=3),
        partial(unipc, order=3, variant="bh1"),
    ],
)
def test_log_snr_samplers_start_from_pure_noise_with_other_options(sampler_, process):
    """Steps in log(sigma / alpha), in which pure noise is infinitely far."""
    problem, grid = Gaussian("flow"), karras(20, process)
    x = torch.randn(256, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    end = last(run_sampler(sampler_, problem.denoise, x, grid)).x
    exact = problem.at(x, 0.0)
    assert (end - exact).norm() / exact.norm() < 0.05


@pytest.mark.parametrize(
    "sampler_",
    [partial(ddim, eta=0.5), partial(ddim, eta=1.0), partial(ddpm, variance=0.5)],
    ids=["half", "ancestral", "ddpm"],
)
@pytest.mark.parametrize(
    "process", [EDM(), RectifiedFlow(), ZERO_SNR], ids=["edm", "flow", "zero-snr"]
)
def test_stochastic_samples_have_the_mean_and_covariance_of_the_data(process, sampler_):
    """Exact, with no drawing: all is affine in the noises, so their coefficients are followed.

    Row 0 of x is its mean, each further row the coefficient of one independent normal number.
    """
    mean = torch.tensor([0.7, -0.2], dtype=torch.float64)
    covariance = torch.tensor([[1.0, 0.6], [0.6, 0.5]], dtype=torch.float64)

    def errors(steps):
        grid = karras(steps, process)
        draws = []

        def noise(sigma, to):
            draw = torch.zeros(1 + 2 * steps, 2, dtype=torch.float64)
            draw[1 + 2 * len(draws) : 3 + 2 * len(draws)] = torch.eye(2)
            draws.append((sigma, to))
            return draw

        def denoise(x, sigma):
            a = frames.alpha(process.frame, sigma)
            observed = a**2 * covariance + sigma**2 * torch.eye(2, dtype=torch.float64)
            gain = a * covariance @ observed.inverse()
            x0 = (x[:, None] * gain).sum(-1)
            x0[0] += mean - gain @ (a * mean)
            return x0

        x = process.initial(noise(0, 0), grid.sigmas[0])
        x = last(run_sampler(sampler_, denoise, x, grid, noise)).x
        assert draws[1:] == list(zip(grid.sigmas, grid.sigmas[1:]))[:-1]  # none for the step to 0
        return (x[0] - mean).norm(), (x[1:].T @ x[1:] - covariance).norm()

    coarse, fine = errors(60), errors(240)
    assert fine[0] < 0.01  # EDM's first state leaves the mean out: one part in 80
    assert fine[1] < 0.08
    assert fine[1] < coarse[1] / 3  # first order: a quarter, once the steps are small enough
