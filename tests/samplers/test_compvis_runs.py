"""Whole runs of the original's DDIM, PLMS and DDPM, computed here from their formulas alone.

All of it is numpy in float64: betas, step lists, the recursions in x of unit variance. Nothing of
it is taken from the code under test, whose samplers see x / sqrt(abar) and never t.
"""

import numpy as np
import pytest
import torch

from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.sampling import run_sampler
from latelier.diffusion.predict import Predictor
from latelier.diffusion.processes.vp import VP
from latelier_samplers.ddim import ddim
from latelier_samplers.ddpm import ddpm
from latelier_samplers.plms import plms
from latelier_samplers.schedules.compvis import compvis
from latelier_samplers.schedules.model import model

T = 1000
BETAS = np.linspace(np.sqrt(0.0015), np.sqrt(0.0195), T) ** 2
ABAR = np.cumprod(1 - BETAS)
SHAPE = (2, 3, 4, 4)
MIX = np.random.default_rng(0).normal(size=(3, 3)) / 2
FIRST = np.random.default_rng(1).normal(size=SHAPE)
DRAWS = np.random.default_rng(2).normal(size=(T, *SHAPE)).astype(np.float32)


def eps_of(x, t):
    """A small nonlinear model; depends on t."""
    return np.tanh(np.einsum("ij,bjhw->bihw", MIX, x) * (1 + 0.5 * np.cos(t / 50)))


class Network:
    config = DenoiserConfig()

    def __init__(self):
        self.times = []

    def __call__(self, x, t, condition=None, control=None):
        assert len(set(t.tolist())) == 1
        self.times.append(t[0].item())
        return torch.from_numpy(eps_of(x.numpy(), t[0].item()))


def ours(sampler, grid, network=None, **options):
    process = VP()
    predict = Predictor(network or Network(), process, torch.float64)
    draws = iter(DRAWS)
    x = process.initial(torch.from_numpy(FIRST), grid.sigmas[0])
    *_, step = run_sampler(
        sampler,
        lambda x, sigma: predict(x, sigma, [Condition()])[0],
        x,
        grid,
        lambda *_: torch.from_numpy(next(draws)),
        **options,
    )
    return process.finish(step.x, step.sigma).numpy()


def listed(steps, spacing):
    """The original's steps and the abar after each, from the highest down."""
    if spacing == "uniform":
        chosen = np.arange(0, T, T // steps) + 1
    else:
        chosen = (np.linspace(0, np.sqrt(T * 0.8), steps) ** 2).astype(int) + 1
    following = np.concatenate([[ABAR[0]], ABAR[chosen[:-1]]])
    return chosen[::-1], following[::-1]


def to_next(x, eps, a, a_to, sigma=0.0):
    x0 = (x - np.sqrt(1 - a) * eps) / np.sqrt(a)
    return np.sqrt(a_to) * x0 + np.sqrt(1 - a_to - sigma**2) * eps


def original_ddim(steps, spacing, eta):
    x, draws = FIRST, iter(DRAWS)
    for t, a_to in zip(*listed(steps, spacing)):
        a = ABAR[t]
        sigma = eta * np.sqrt((1 - a_to) / (1 - a)) * np.sqrt(1 - a / a_to)
        x = to_next(x, eps_of(x, t), a, a_to, sigma)
        if eta:
            x = x + sigma * next(draws)
    return x


def original_plms(steps):
    x, kept = FIRST, []
    times, following = listed(steps, "uniform")
    for i, (t, a_to) in enumerate(zip(times, following)):
        a, e = ABAR[t], eps_of(x, t)
        if not kept:
            t_next = times[min(i + 1, len(times) - 1)]
            e_here = (e + eps_of(to_next(x, e, a, a_to), t_next)) / 2
        elif len(kept) == 1:
            e_here = (3 * e - kept[-1]) / 2
        elif len(kept) == 2:
            e_here = (23 * e - 16 * kept[-1] + 5 * kept[-2]) / 12
        else:
            e_here = (55 * e - 59 * kept[-1] + 37 * kept[-2] - 9 * kept[-3]) / 24
        x = to_next(x, e_here, a, a_to)
        kept = [*kept, e][-3:]
    return x


def original_ddpm(v):
    """All T steps; the last adds no noise."""
    x, draws = FIRST, iter(DRAWS)
    for t in reversed(range(T)):
        a, a_to, beta = ABAR[t], ABAR[t - 1] if t else 1.0, BETAS[t]
        x0 = (x - np.sqrt(1 - a) * eps_of(x, t)) / np.sqrt(a)
        mean = np.sqrt(a_to) * beta / (1 - a) * x0 + np.sqrt(1 - beta) * (1 - a_to) / (1 - a) * x
        variance = (1 - v) * beta * (1 - a_to) / (1 - a) + v * beta
        x = mean + np.sqrt(variance) * next(draws) if t else mean
    return x


def assert_same(x, reference):
    assert np.linalg.norm(x - reference) / np.linalg.norm(reference) < 1e-5


@pytest.mark.parametrize("spacing", ["uniform", "quad"])
@pytest.mark.parametrize("eta", [0.0, 0.7, 1.0])
def test_ddim_equals_the_original(spacing, eta):
    grid = compvis(10, VP(), spacing=spacing)
    assert_same(ours(ddim, grid, eta=eta), original_ddim(10, spacing, eta))


def test_ddim_equals_the_original_with_a_repeated_step():
    """The original makes 50 steps, two at t = 1, where one changes nothing; ours makes 49."""
    grid = compvis(50, VP(), spacing="quad")
    assert grid.steps == 49
    assert_same(ours(ddim, grid), original_ddim(50, "quad", 0.0))


@pytest.mark.parametrize("steps", [1, 2, 4, 10])
def test_plms_equals_the_original(steps):
    network = Network()
    x = ours(plms, compvis(steps, VP()), network)
    assert_same(x, original_plms(steps))
    times = listed(steps, "uniform")[0].tolist()
    assert network.times == [times[0], times[min(1, steps - 1)], *times[1:]]


def test_corrected_steps_give_different_latents():
    grid = model(10, VP())
    for sampler, original in ((ddim, original_ddim(10, "uniform", 0.0)), (plms, original_plms(10))):
        x = ours(sampler, grid)
        assert np.linalg.norm(x - original) / np.linalg.norm(original) > 1e-2


@pytest.mark.parametrize("variance", [0.0, 0.3, 1.0])
def test_ddpm_equals_the_original(variance):
    assert_same(ours(ddpm, model(T, VP()), variance=variance), original_ddpm(variance))
