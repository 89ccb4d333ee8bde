"""Against k-diffusion: the same sigmas, estimates and draws give the same x, in float64.

Its ends are in k_diffusion.safetensors, made by tools/k_diffusion_reference.py.
"""

import math
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from latelier.contracts.sampling import run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.ddim import ddim
from latelier_samplers.dpm2 import dpm2
from latelier_samplers.dpm2_ancestral import dpm2_ancestral
from latelier_samplers.dpmpp_2m import dpmpp_2m
from latelier_samplers.dpmpp_2m_sde import dpmpp_2m_sde
from latelier_samplers.dpmpp_2s_ancestral import dpmpp_2s_ancestral
from latelier_samplers.dpmpp_3m_sde import dpmpp_3m_sde
from latelier_samplers.dpmpp_sde import dpmpp_sde
from latelier_samplers.heun import heun
from latelier_samplers.lms import lms

REFERENCE = load_file(Path(__file__).with_name("k_diffusion.safetensors"))


SIGMAS = REFERENCE["sigmas"].tolist()


def x0_of(x, sigma):
    mixed = torch.einsum("ij,bjhw->bihw", REFERENCE["mix"], x)
    return torch.tanh(mixed / math.hypot(1, sigma) * (1 + 0.5 * math.cos(math.log(sigma))))


def distance(sampler, name, noise):
    """Return how far from the reference a sampler of ours ends, relative to it."""
    grid = SigmaGrid(tuple(SIGMAS), "ve")
    *_, step = run_sampler(sampler, x0_of, REFERENCE["first"], grid, noise)
    return (step.x - REFERENCE[name]).norm() / REFERENCE[name].norm()


def drawn():
    draws = iter(REFERENCE["draws"])
    return lambda *_: next(draws)


@pytest.mark.parametrize(
    ("name", "sampler_"),
    [
        ("euler_ancestral", partial(ddim, eta=0.6)),
        ("heun", heun),
        ("dpm_2", dpm2),
        ("dpm_2_ancestral", partial(dpm2_ancestral, eta=0.6)),
        ("lms", lms),
        ("dpmpp_2m", dpmpp_2m),
        ("dpmpp_2s_ancestral", partial(dpmpp_2s_ancestral, eta=0.6)),
        ("dpmpp_2m_sde", partial(dpmpp_2m_sde, eta=0.6, solver_type="midpoint")),
    ],
)
def test_final_latents_equal_k_diffusion(name, sampler_):
    assert distance(sampler_, name, drawn()) < 1e-12


def test_dpmpp_sde_equals_k_diffusion_with_one_noise_per_step():
    """Theirs draws a step's noise whole, ours what is left of it after its part."""
    draws, part = drawn(), torch.zeros(())

    def noise(start, end):
        nonlocal part
        if start in SIGMAS:
            part = draws()
            return part
        sigma, to = next(pair for pair in pairwise(SIGMAS) if pair[1] == end)
        covered = (start**-2 - sigma**-2) / (to**-2 - sigma**-2)
        return (draws() - math.sqrt(covered) * part) / math.sqrt(1 - covered)

    assert distance(partial(dpmpp_sde, eta=0.6, r=0.4), "dpmpp_sde", noise) < 1e-12


def test_dpmpp_3m_sde_differs_by_its_full_second_order_term():
    """Theirs halves its square: `test_stochastic` shows that ours is exact for parabolas."""
    assert distance(partial(dpmpp_3m_sde, eta=0.6), "dpmpp_3m_sde", drawn()) > 1e-3
