"""The noise that ddpm adds."""

import math

import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.options import read_options
from latelier.contracts.sampling import run_sampler
from latelier.diffusion.noise import PerImageNoise
from latelier.diffusion.processes.edm import EDM
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier_samplers.ddim import ddim
from latelier_samplers.ddpm import ddpm
from latelier_samplers.schedules.compvis import compvis
from latelier_samplers.schedules.karras import karras


def zero(x, sigma):
    return torch.zeros_like(x)


def first_std(grid, **options):
    """The noise of the first step, of x = 0 and an estimate of 0."""
    x = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    return next(ddpm(zero, x, grid, noise=lambda *_: torch.ones_like(x), **options)).x.item()


@pytest.mark.parametrize(
    "grid",
    [karras(6, EDM()), karras(6, RectifiedFlow()), compvis(5, VP())],
    ids=["edm", "flow", "paper"],
)
def test_with_the_smaller_variance_it_is_ddim_with_eta_1(grid):
    ends = []
    for sampler, options in ((ddim, {"eta": 1.0}), (ddpm, {})):
        noise = PerImageNoise([3, 4], (4, 8, 8))
        x = noise.initial().double()
        *_, step = run_sampler(sampler, lambda x, s: torch.tanh(x), x, grid, noise, **options)
        ends.append(step.x)
    torch.testing.assert_close(*ends, rtol=1e-12, atol=1e-12)


def test_the_variance_lies_between_posterior_and_beta():
    process = VP()
    grid = compvis(10, process)
    s, to = grid.sigmas[:2]
    abar, abar_to = 1 / (1 + s**2), 1 / (1 + to**2)
    beta = 1 - abar / abar_to
    posterior = (1 - abar_to) / (1 - abar) * beta
    for v in (0.0, 0.25, 1.0):
        std = first_std(grid, variance=v) * math.sqrt(abar_to)
        assert std**2 == pytest.approx((1 - v) * posterior + v * beta, rel=1e-12)


@pytest.mark.parametrize("v", [0.0, 0.5, 1.0])
def test_results_do_not_depend_on_the_frame(v):
    process = VP(zero_terminal_snr=True, prediction="v")
    grid = compvis(10, process)
    ratios = [s / (1 - s) for s in grid.sigmas]
    stretched = type(grid)(ratios, "ve")
    a_to = 1 - grid.sigmas[1]
    std = first_std(grid, variance=v)
    assert std / a_to == pytest.approx(first_std(stretched, variance=v), rel=1e-9)


def test_from_pure_noise_the_larger_variance_is_that_of_x_itself():
    grid = karras(5, RectifiedFlow())
    to = grid.sigmas[1]
    assert first_std(grid, variance=1.0) == pytest.approx(math.hypot(1 - to, to))
    assert first_std(grid, variance=0.0) == pytest.approx(to)


def test_no_noise_for_the_step_to_sigma_0():
    calls = []

    def noise(sigma, to):
        calls.append((sigma, to))
        return torch.ones(1, 1, 2, 2)

    grid = karras(5, EDM())
    list(ddpm(zero, torch.ones(1, 1, 2, 2), grid, noise=noise, variance=1.0))
    assert calls == list(zip(grid.sigmas, grid.sigmas[1:]))[:-1]


@pytest.mark.parametrize("variance", [-0.1, 1.1])
def test_a_variance_outside_0_to_1_is_refused(variance):
    with pytest.raises(InvalidInputError, match="'variance'"):
        read_options(ddpm, {"variance": variance}, "sampler 'ddpm'")
