"""Running a sampler: the precision of x, and noise for those that draw it."""

from functools import partial

import pytest
import torch

from latelier.contracts.sampling import Step, draws_noise, run_sampler
from latelier.contracts.sigma_grid import SigmaGrid

SIGMAS = SigmaGrid((1.0, 0.0), "ve")


def deterministic(denoise, x, sigmas, /, *, scale=1.0):
    yield Step(0, sigmas[-1], scale * denoise(x, sigmas[0]), x)


def stochastic(denoise, x, sigmas, /, *, noise, scale=1.0):
    yield Step(0, sigmas[-1], scale * noise(sigmas[0], sigmas[-1]), x)


def end(sampler, x, noise=None, **options):
    [step] = run_sampler(sampler, lambda x, sigma: x + 1, x, SIGMAS, noise, **options)
    return step


def test_noise_is_passed_to_samplers_that_name_it():
    x, noise = torch.zeros(1, 2), torch.full((1, 2), 5.0)
    assert torch.equal(end(stochastic, x, lambda *_: noise).x, noise)
    assert torch.equal(end(deterministic, x, lambda *_: noise).x, x + 1)
    bound = partial(stochastic, scale=2.0)
    assert torch.equal(end(bound, x, lambda *_: noise).x, 2 * noise)
    assert [draws_noise(each) for each in (deterministic, stochastic, bound)] == [False, True, True]


def test_options_are_passed_on():
    assert torch.equal(end(deterministic, torch.zeros(1, 2), scale=3.0).x, torch.full((1, 2), 3.0))


@pytest.mark.parametrize(
    ("dtype", "promoted"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
    ids=str,
)
def test_x_is_float32_or_wider(dtype, promoted):
    assert end(deterministic, torch.zeros(1, 2, dtype=dtype)).denoised.dtype == promoted
