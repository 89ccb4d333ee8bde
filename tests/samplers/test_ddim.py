"""When ddim draws noise, and what its options are."""

import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.options import read_options
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier_samplers.ddim import ddim
from latelier_samplers.schedules.karras import karras
from latelier_samplers.schedules.model import model

PAPER = model(5, VP(), spacing="leading", offset=1, final="first")


def drawn(grid, eta):
    calls = []

    def noise(sigma, to):
        calls.append((sigma, to))
        return torch.ones(1, 1, 2, 2)

    list(ddim(lambda x, sigma: x / 2, torch.ones(1, 1, 2, 2), grid, noise=noise, eta=eta))
    return calls


def test_eta_0_draws_no_noise():
    assert drawn(PAPER, 0.0) == []


@pytest.mark.parametrize("eta", [0.1, 1.0])
def test_noise_is_drawn_for_each_step_except_flow_to_sigma_0(eta):
    pairs = list(zip(PAPER.sigmas, PAPER.sigmas[1:]))
    assert drawn(PAPER, eta) == pairs
    flow = karras(5, RectifiedFlow())
    assert drawn(flow, eta) == list(zip(flow.sigmas, flow.sigmas[1:]))[:-1]


def test_from_pure_noise_eta_1_does_not_depend_on_x():
    grid = karras(5, RectifiedFlow())
    ends = []
    for x in (torch.full((1, 1, 2, 2), 0.3), torch.full((1, 1, 2, 2), -2.0)):
        steps = ddim(
            lambda x, sigma: torch.ones_like(x),
            x,
            grid,
            noise=lambda sigma, to: torch.full((1, 1, 2, 2), 0.5),
            eta=1.0,
        )
        ends.append(next(steps).x)
    to = grid.sigmas[1]
    assert torch.equal(ends[0], ends[1])
    torch.testing.assert_close(ends[0], torch.full((1, 1, 2, 2), (1 - to) + to * 0.5))


@pytest.mark.parametrize("eta", [-0.1, 1.1])
def test_eta_outside_0_to_1_is_refused(eta):
    with pytest.raises(InvalidInputError, match="'eta'"):
        read_options(ddim, {"eta": eta}, "sampler 'ddim'")
