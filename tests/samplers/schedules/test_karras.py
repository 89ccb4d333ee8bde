import math
from itertools import pairwise

import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.options import read_options
from latelier.contracts.sampling import run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.processes.edm import EDM
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier_samplers.ddim import ddim
from latelier_samplers.dpmpp_2m import dpmpp_2m
from latelier_samplers.heun import heun
from latelier_samplers.schedules.karras import karras

PROCESSES = [VP(), EDM(), RectifiedFlow(), VP(zero_terminal_snr=True, prediction="x0")]
IDS = ["vp", "edm", "flow", "zero-snr"]


@pytest.mark.parametrize("process", PROCESSES, ids=IDS)
@pytest.mark.parametrize("steps", [1, 2, 3, 10, 100, 1000])
def test_sigmas_run_from_the_highest_to_0(process, steps):
    grid = karras(steps, process)
    assert grid.steps == steps
    assert grid.frame == process.frame
    assert grid.sigmas[0] == process.sigma_max
    assert grid.sigmas[-1] == 0
    assert all(type(sigma) is float for sigma in grid.sigmas)


@pytest.mark.parametrize("rho", [7.0, 3.0])
def test_sigmas_equal_equation_5(rho):
    sigmas = karras(18, EDM(), rho=rho).sigmas
    expected = [
        (80 ** (1 / rho) + i / 17 * (0.002 ** (1 / rho) - 80 ** (1 / rho))) ** rho
        for i in range(18)
    ]
    assert sigmas == pytest.approx([*expected, 0.0], rel=1e-10)


def test_the_ends_are_exact_training_steps():
    process = VP()
    grid = karras(10, process)
    assert float(process.timestep(grid.sigmas[0])) == 999
    assert float(process.timestep(grid.sigmas[-2])) == 0


def test_flow_sigmas_follow_equation_5_in_sigma_over_alpha():
    grid = karras(10, RectifiedFlow())
    roots = [(s / (1 - s)) ** (1 / 7) for s in grid.sigmas[1:-1]]
    gaps = [a - b for a, b in pairwise(roots)]
    assert gaps == pytest.approx([gaps[0]] * len(gaps))
    assert roots[0] + gaps[0] == pytest.approx(60 ** (1 / 7))
    assert grid.sigmas[-2] == 0.01


def test_bounds_can_be_chosen():
    grid = karras(5, VP(), sigma_min=0.1, sigma_max=14.0)
    assert (grid.sigmas[0], grid.sigmas[-2]) == (14.0, 0.1)
    grid = karras(5, RectifiedFlow(), sigma_min=0.05, sigma_max=0.6)
    assert (grid.sigmas[0], grid.sigmas[-2]) == (0.6, 0.05)


@pytest.mark.parametrize(
    ("steps", "process", "options", "message"),
    [
        (0, VP(), {}, "at least 1 step, not 0"),
        (-3, VP(), {}, "at least 1 step, not -3"),
        (5, VP(), {"sigma_min": 20.0, "sigma_max": 10.0}, "below sigma_max, not 20 and 10"),
        (5, RectifiedFlow(), {"sigma_max": 1.5}, "'flow' frame lie between 0 and 1"),
    ],
)
def test_invalid_steps_and_bounds_are_refused(steps, process, options, message):
    with pytest.raises(InvalidInputError, match=message):
        karras(steps, process, **options)


@pytest.mark.parametrize("options", [{"rho": 0.5}, {"sigma_min": 0.0}, {"sigma_max": -1.0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(InvalidInputError, match=next(iter(options))):
        read_options(karras, options, "schedule 'karras'")


class Pictures:
    """The exact denoiser of 100 random pictures, smooth as pictures are, in the flow frame."""

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        frequency = torch.fft.fftfreq(16, 1 / 16)
        amplitude = (1 + frequency[:, None] ** 2 + frequency**2) ** -0.5
        white = torch.randn(100, 3, 16, 16, generator=generator)
        pictures = torch.fft.ifft2(torch.fft.fft2(white) * amplitude).real.flatten(1)
        self.pictures = pictures / pictures.std()
        self.noise = torch.randn(16, 768, generator=generator)

    def denoise(self, x, sigma):
        a, blur = 1 - sigma, 0.1**2
        variance = a**2 * blur + sigma**2
        distances = torch.cdist(x, a * self.pictures) ** 2
        mean = torch.softmax(-distances / (2 * variance), -1) @ self.pictures
        return mean + a * blur / variance * (x - a * mean)

    def end(self, sampler_, grid):
        *_, step = run_sampler(sampler_, self.denoise, self.noise, grid)
        return step.x


def test_in_the_flow_frame_errors_are_lower_than_with_simple_spacings():
    problem = Pictures()
    exact = problem.end(heun, karras(60, RectifiedFlow(), sigma_min=0.001))

    def error(sigmas_of):
        """Geometric mean over the three samplers at 12 steps."""
        logs = []
        for sampler_ in (ddim, heun, dpmpp_2m):
            end = problem.end(sampler_, SigmaGrid(sigmas_of(12), "flow"))
            logs.append(math.log(((end - exact).norm(dim=1) / exact.norm(dim=1)).mean()))
        return math.exp(sum(logs) / len(logs))

    def even(steps):
        return [1 - i / steps for i in range(steps + 1)]

    def equation_5_on_sigma(steps):
        low = 0.001 ** (1 / 7)
        return [(1 + i / (steps - 1) * (low - 1)) ** 7 for i in range(steps)] + [0.0]

    ours = error(lambda steps: karras(steps, RectifiedFlow()).sigmas)
    assert ours < error(even) / 2
    assert ours < error(equation_5_on_sigma) / 5
