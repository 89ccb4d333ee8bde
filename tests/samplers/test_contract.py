"""What every registered sampler keeps to, under each of its names."""

from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest
import torch

from latelier.diffusion import frames
from latelier.diffusion.edm import EDM
from latelier.diffusion.noise import ImageNoise
from latelier.diffusion.rectified_flow import RectifiedFlow
from latelier.diffusion.vp import VP
from latelier.kernel.contracts import Step
from latelier.kernel.options import options_model
from latelier_samplers.dpm2_ancestral import dpm2_ancestral
from latelier_samplers.dpmpp_2s_ancestral import dpmpp_2s_ancestral
from latelier_samplers.dpmpp_sde import dpmpp_sde
from latelier_samplers.plms import plms
from latelier_samplers.schedules.karras import karras
from latelier_samplers.schedules.model import model

STEPS = 6
GRIDS = [
    karras(STEPS, EDM()),
    karras(STEPS, RectifiedFlow()),
    model(STEPS, VP(), spacing="leading", offset=1, final="first"),
]
NO_MIDDLE_FROM_PURE_NOISE = {dpm2_ancestral, dpmpp_2s_ancestral, dpmpp_sde}


@pytest.fixture(params=GRIDS, ids=["edm", "flow", "paper"])
def grid(request):
    return request.param


class Counted:
    """A denoise that looks at every pixel alone and remembers what it was asked."""

    def __init__(self):
        self.sigmas = []

    def __call__(self, x, sigma):
        at = [sigma] if type(sigma) is float else sigma.tolist()
        assert len(at) in (1, len(x))
        assert min(at) > 0
        self.sigmas.append(sigma)
        return torch.tanh(4 * x / (1 + frames.per_image(sigma, x)))


def run(sampler, denoise, grid, seeds, dtype=torch.float32):
    noise = ImageNoise(seeds, (4, 8, 8))
    return sampler(denoise, noise.initial().to(dtype), grid, noise=noise)


def test_one_step_is_yielded_for_each_of_the_grid(sampler, traits, grid):
    done = list(run(sampler, Counted(), grid, [0]))
    assert all(type(step) is Step for step in done)
    assert [step.index for step in done] == list(range(STEPS))
    walked = grid.sigmas[::-1] if traits.inverts else grid.sigmas
    assert [step.sigma for step in done] == list(walked[1:])
    assert all(step.x.shape == step.denoised.shape == (1, 4, 8, 8) for step in done)


def test_number_of_evaluations(sampler, traits, grid):
    """One for a step to sigma 0, and as many as the sampler declares for every other."""
    denoise = Counted()
    list(run(sampler, denoise, grid, [0]))
    if traits.calls is None:
        assert len(denoise.sigmas) >= STEPS
        return
    single = 0 if traits.inverts else grid.sigmas.count(0)
    if sampler.func in NO_MIDDLE_FROM_PURE_NOISE:
        single += grid.sigmas.count(1)
    more = 1 if sampler.func is plms else 0  # in its first step
    assert len(denoise.sigmas) == traits.calls * (STEPS - single) + single + more
    if traits.calls == 1 and not more:
        assert sorted(denoise.sigmas) == sorted(grid.sigmas[:-1])


def test_closing_it_early_stops_the_work(sampler, traits, grid):
    denoise, whole = Counted(), Counted()
    list(run(sampler, whole, grid, [0]))
    steps = run(sampler, denoise, grid, [0])
    assert denoise.sigmas == []
    begun = list(islice(steps, 2))
    calls = len(denoise.sigmas)
    steps.close()
    assert len(denoise.sigmas) == calls < len(whole.sigmas)
    for step, again in zip(begun, run(sampler, Counted(), grid, [0])):
        assert torch.equal(step.x, again.x)


def test_no_tensor_is_changed_once_it_is_out_of_hand(sampler, traits, grid):
    seen, noise = [], ImageNoise([0], (4, 8, 8))

    def denoise(x, sigma):
        estimate = torch.tanh(x)
        seen.extend([(x, x.clone()), (estimate, estimate.clone())])
        return estimate

    x = noise.initial()
    seen.append((x, x.clone()))
    for step in sampler(denoise, x, grid, noise=noise):
        seen.append((step.x, step.x.clone()))
    assert all(torch.equal(tensor, copy) for tensor, copy in seen)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_the_state_is_float32_at_least(sampler, traits, grid, given, kept):
    asked = set()

    def denoise(x, sigma):
        asked.add(x.dtype)
        return (x / (1 + sigma)).to(given)

    done = list(run(sampler, denoise, grid, [0], dtype=given))
    assert asked == {kept} == {step.x.dtype for step in done}


def test_an_image_is_the_same_alone_and_in_a_batch(sampler, traits, grid):
    together = list(run(sampler, Counted(), grid, [7, 8, 9]))
    for k, seed in enumerate([7, 8, 9]):
        alone = list(run(sampler, Counted(), grid, [seed]))
        for step, one in zip(together, alone, strict=True):
            torch.testing.assert_close(step.x[k : k + 1], one.x, rtol=1e-5, atol=1e-6)


def test_an_image_differs_from_its_neighbours(sampler, traits, grid):
    *_, step = run(sampler, Counted(), grid, [7, 8])
    assert (step.x[0] - step.x[1]).abs().max() > 0.1


def test_eight_threads_get_the_same_bits_as_each_alone(sampler, traits, grid):
    def end(seed):
        *_, step = run(sampler, Counted(), grid, [seed])
        return step.x

    with ThreadPoolExecutor(8) as pool:
        threaded = list(pool.map(end, range(8)))
    assert all(torch.equal(x, end(seed)) for seed, x in enumerate(threaded))


def test_its_options_have_defaults_and_descriptions(sampler, traits):
    fields = options_model(sampler.func).model_fields
    assert set(sampler.keywords) <= set(fields)
    assert all(field.description and not field.is_required() for field in fields.values())
