"""`repaint_resamples`: the repainted part is drawn from its conditional distribution."""

import math

import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sampling import run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.noise import PerImageNoise
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier.pipeline.editing.inpaint import InpaintMask, InpaintState
from latelier.pipeline.editing.repaint import repaint
from latelier_samplers.ddim import ddim
from latelier_samplers.dpmpp_2m import dpmpp_2m
from latelier_samplers.heun import heun
from latelier_samplers.schedules.exponential import exponential
from latelier_samplers.schedules.karras import karras

CORRELATION, HELD, COUNT = 0.9, 1.5, 2000
EXACT = CORRELATION * HELD, math.sqrt(1 - CORRELATION**2)


class Pairs:
    """Images of two pixels, Gaussian, of unit variance and correlated; the first is held."""

    def __init__(self, process):
        self.process, self.calls = process, 0
        covariance = torch.tensor([[1, CORRELATION], [CORRELATION, 1]])
        self.values, self.vectors = torch.linalg.eigh(covariance)

    def denoise(self, x, sigma):
        self.calls += 1
        alpha = 1 - sigma if self.process.frame == "flow" else 1.0
        gains = alpha * self.values / (alpha**2 * self.values + sigma**2)
        return x @ (self.vectors * gains) @ self.vectors.T

    def made(self, sampler, grid):
        """Return mean and standard deviation of the second pixel, and the first pixels."""
        known = torch.tensor([True, False]).expand(COUNT, 1, 1, 2)
        latents = torch.full((COUNT, 1, 1, 2), HELD)
        state = InpaintState(torch.zeros(1), latents, 1.0, InpaintMask(known, torch.zeros(1)))
        generator = torch.Generator().manual_seed(0)

        def noise(*_):
            return torch.randn(COUNT, 1, 1, 2, generator=generator)

        eps = noise()
        x = state.initial(self.process, eps, grid.sigmas[0])
        denoise = state.hold_known(self.denoise, self.process, eps)
        *_, step = run_sampler(sampler, denoise, x, grid, noise)
        first, second = step.x.flatten(1).T
        return float(second.mean()), float(second.std()), first


@pytest.mark.parametrize("process", [VP(), RectifiedFlow()], ids=["ve", "flow"])
def test_samples_approach_the_conditional_distribution(process):
    grid = exponential(20, process)
    once, ten = Pairs(process), Pairs(process)
    mean, std, _ = once.made(ddim, grid)
    assert EXACT[0] - mean > 0.6
    assert std - EXACT[1] > 0.2
    mean, std, first = ten.made(repaint(ddim, 10), grid)
    assert mean == pytest.approx(EXACT[0], abs=0.12)
    assert std == pytest.approx(EXACT[1], abs=0.05)
    torch.testing.assert_close(first, torch.full_like(first, HELD))
    assert (once.calls, ten.calls) == (20, 200)


@pytest.mark.parametrize("sampler", [ddim, heun, dpmpp_2m])
@pytest.mark.parametrize("steps", [1, 7, 60])
def test_steps_follow_the_grid(sampler, steps):
    grid = karras(steps, VP())
    noise = PerImageNoise([0], (1, 1, 2))
    model = Pairs(VP())
    made = list(repaint(sampler, 3)(model.denoise, noise.initial() * 80, grid, noise=noise))
    assert [step.index for step in made] == list(range(steps))
    assert [step.sigma for step in made] == list(grid.sigmas[1:])


def test_resampling_once_equals_a_sampler_without_history():
    grid, model = SigmaGrid((3.0, 2.0, 1.0, 0.0), "ve"), Pairs(VP())
    x = torch.randn(4, 1, 1, 2, generator=torch.Generator().manual_seed(0))
    *_, plain = heun(model.denoise, x, grid)
    *_, once = repaint(heun, 1)(model.denoise, x, grid, noise=None)
    assert torch.equal(plain.x, once.x)


def test_in_a_pipeline_known_pixels_are_exact_and_the_rest_changes(tiny, photo, left_stays):
    keywords = {
        "prompt": "a red cat",
        "seed": 5,
        "steps": 3,
        "init_image": photo,
        "mask": left_stays,
    }
    once, thrice = (tiny.generate(**keywords, repaint_resamples=n)[0].image for n in (None, 3))
    assert once.crop((0, 0, 9, 16)).tobytes() == thrice.crop((0, 0, 9, 16)).tobytes()
    assert once.tobytes() != thrice.tobytes()
    assert tiny.generate(**keywords, repaint_resamples=3)[0].image.tobytes() == thrice.tobytes()


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"mask": None}, "repaint_resamples: needs `mask`, which is missing"),
        ({"noise": "brownian"}, "use `noise` 'independent'"),
        ({"repaint_resamples": 0}, "'repaint_resamples'"),
    ],
)
def test_invalid_requests_are_refused(tiny, photo, left_stays, keywords, message):
    whole = {
        "prompt": "a cat",
        "init_image": photo,
        "mask": left_stays,
        "repaint_resamples": 2,
        **keywords,
    }
    with pytest.raises(InvalidInputError, match=message):
        tiny.generate(**whole)
