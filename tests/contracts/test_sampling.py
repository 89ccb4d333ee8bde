"""What a sampler and a schedule are given: x, and noise or the geometry if they name it."""

from functools import partial

import pytest
import torch

from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.options import read_options
from latelier.contracts.sampling import (
    Step,
    depends_on_geometry,
    draws_noise,
    run_sampler,
    run_schedule,
)
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


def fixed(steps, process, /, *, highest=1.0):
    return SigmaGrid((highest, 0.0), "ve")


def by_height(steps, process, /, *, geometry, factor=1.0):
    return SigmaGrid((factor * geometry.latent_size[0], 0.0), "ve")


def test_the_geometry_is_passed_to_schedules_that_name_it():
    geometry = PictureGeometry((32, 64), (4, 8))
    assert run_schedule(fixed, 1, None, geometry, highest=3.0)[0] == 3
    assert run_schedule(by_height, 1, None, geometry)[0] == 4
    assert run_schedule(partial(by_height, factor=2.0), 1, None, geometry)[0] == 8
    assert [depends_on_geometry(each) for each in (fixed, by_height)] == [False, True]


def test_a_schedule_cannot_depend_on_a_picture_that_is_none():
    assert run_schedule(fixed, 1, None, None)[0] == 1
    with pytest.raises(InvalidInputError, match="depends on the size of the picture"):
        run_schedule(by_height, 1, None, None)


def test_what_the_host_gives_is_no_option():
    assert read_options(by_height, {}, "by_height") == {"factor": 1.0}
    assert read_options(stochastic, {}, "stochastic") == {"scale": 1.0}
    with pytest.raises(InvalidInputError, match="no field 'geometry'"):
        read_options(by_height, {"geometry": None}, "by_height")
