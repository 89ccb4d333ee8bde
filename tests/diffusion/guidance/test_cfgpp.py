import math
from functools import partial
from itertools import pairwise

import pytest
import torch

from latelier.contracts.condition import Condition
from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier.contracts.options import read_options
from latelier.contracts.sampling import run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.guidance.cfgpp import cfgpp
from latelier_samplers.ddim import ddim
from latelier_samplers.dpmpp_2m import dpmpp_2m
from latelier_samplers.heun import heun
from latelier_samplers.plms import plms

GRIDS = [
    SigmaGrid((3.0, 2.0, 1.0, 0.5, 0.0), "ve"),
    SigmaGrid((3.0, 2.0, 1.0, 0.5, 0.1), "ve"),
    SigmaGrid((1.0, 0.8, 0.5, 0.2, 0.0), "flow"),
]
IDS = ["ve", "not to 0", "flow"]


def by_hand(toy, x, grid, scale):
    """Algorithm 2 with alpha and sigma of x at unit variance, as in the paper."""
    for sigma, to in pairwise(grid.sigmas):
        power, power_to = (math.hypot(grid.alpha(s), s) for s in (sigma, to))
        x0, x0_null = toy.x0(0.7, -0.4, x=x), toy.x0(0.1, 0.2, x=x)
        eps_null = (x / power - grid.alpha(sigma) / power * x0_null) / (sigma / power)
        mixed = x0_null + scale * (x0 - x0_null)
        x = (grid.alpha(to) / power_to * mixed + to / power_to * eps_null) * power_to
    return x


def run(sampler, denoise, x, grid):
    noise = partial(torch.randn, x.shape, dtype=x.dtype)
    *_, step = run_sampler(sampler, denoise, x, grid, lambda *_: noise())
    return step.x


@pytest.mark.parametrize("grid", GRIDS, ids=IDS)
@pytest.mark.parametrize("scale", [0.0, 0.6, 1.0])
def test_with_ddim_it_equals_algorithm_2(toy, condition, null, grid, scale):
    denoise = cfgpp(toy, condition, null, grid, scale=scale)
    end = run(ddim, denoise, toy.x, grid)
    torch.testing.assert_close(end, by_hand(toy, toy.x, grid, scale))
    assert toy.rows == [2] * 4
    assert torch.equal(run(ddim, denoise, toy.x, grid), end)  # its state restarts


def test_sigma_may_differ_per_image(toy, condition, null):
    denoise, grid = cfgpp(toy, condition, null, GRIDS[0]), GRIDS[0]
    expected = denoise(toy.x, 3.0)
    assert torch.equal(denoise(toy.x, torch.full((3,), grid.sigmas[0])), expected)


def test_float32_rounding_is_not_mistaken_for_another_sampler(make_toy, condition, null):
    toy = make_toy(shape=(3, 4, 8, 8))
    toy.patterns = [each.float() for each in toy.patterns]
    grid = SigmaGrid((80.0, 40.0, 10.0, 3.0, 1.0, 0.4, 0.1, 0.0), "ve")
    run(ddim, cfgpp(toy, condition, null, grid), toy.x.float() * 80, grid)


@pytest.mark.parametrize(
    "sampler",
    [heun, plms, dpmpp_2m, partial(ddim, eta=0.5)],
    ids=["heun", "plms", "dpmpp_2m", "with noise"],
)
def test_other_samplers_are_detected(toy, condition, null, sampler):
    grid = GRIDS[0]
    with pytest.raises(CompatibilityError, match="for the steps of the sampler 'ddim'"):
        run(sampler, cfgpp(toy, condition, null, grid), toy.x, grid)


def test_a_sigma_outside_the_grid_is_refused(toy, condition, null):
    with pytest.raises(CompatibilityError, match="'ddim' with eta 0"):
        cfgpp(toy, condition, null, GRIDS[0])(toy.x, 2.5)


def test_inpainting_is_not_mistaken_for_another_sampler(toy, condition, null):
    denoise = cfgpp(toy, condition, null, GRIDS[0])
    held = torch.rand(toy.x.shape, generator=torch.Generator().manual_seed(1)) < 0.9

    def keeping(x, sigma):
        return denoise(torch.where(held, sigma * toy.patterns[3], x), sigma)

    run(ddim, keeping, toy.x, GRIDS[0])


def test_invalid_conditions_and_options_are_refused(toy, grid):
    with pytest.raises(CompatibilityError, match="'cfgpp' needs a null condition"):
        cfgpp(toy, Condition(), Condition(), grid)
    with pytest.raises(InvalidInputError, match=r"'scale'.*less than or equal to 1"):
        read_options(cfgpp, {"scale": 7.5}, "guidance 'cfgpp'")
