"""A sampler that breaks its contract ends a run with an error that names it."""

import math
from dataclasses import replace

import pytest
import torch

from latelier import hookimpl
from latelier.contracts.errors import PluginError
from latelier.contracts.sampling import Step
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy


def good_steps(denoise, x, grid):
    for index, sigma in enumerate(grid.sigmas[1:]):
        yield Step(index, sigma, x, denoise(x, grid.sigmas[index]))


def changes_each_step(change):
    def sampler(denoise, x, grid, /):
        for step in good_steps(denoise, x, grid):
            yield change(step)

    return sampler


class StopEverything(BaseException):
    pass


def exits(denoise, x, grid, /):
    raise SystemExit(3)
    yield


def exits_at_once(denoise, x, grid, /):
    raise SystemExit(3)


def stops_everything(denoise, x, grid, /):
    yield from list(good_steps(denoise, x, grid))[:1]
    raise StopEverything("now")


def interrupts(denoise, x, grid, /):
    raise KeyboardInterrupt
    yield


def returns_a_list(denoise, x, grid, /):
    return list(good_steps(denoise, x, grid))


yields_numbers = changes_each_step(lambda step: 3)
yields_another_shape = changes_each_step(lambda step: replace(step, x=step.x[..., :1]))
yields_integers = changes_each_step(lambda step: replace(step, x=step.x.long()))
yields_no_tensor = changes_each_step(lambda step: replace(step, denoised=None))
yields_nan_denoised = changes_each_step(
    lambda step: replace(step, denoised=torch.full_like(step.x, math.nan))
)
yields_nan_sigma = changes_each_step(lambda step: replace(step, sigma=math.nan))
yields_a_wrong_sigma = changes_each_step(lambda step: replace(step, sigma=1e3))
yields_a_word_as_sigma = changes_each_step(lambda step: replace(step, sigma="high"))
is_no_function = 3

FAULTS = {
    "exits": "failed: SystemExit: 3",
    "exits_at_once": "failed: SystemExit: 3",
    "stops_everything": "failed: StopEverything: now",
    "returns_a_list": "returns list, not an iterator of steps",
    "yields_numbers": "step 1: expected a Step, found int",
    "yields_another_shape": r"step 1: x: expected the shape \(1, 4, 8, 8\), found \(1, 4, 8, 1\)",
    "yields_integers": "step 1: x: expected a floating-point dtype, found torch.int64",
    "yields_no_tensor": "step 1: denoised: expected a tensor, found NoneType",
    "yields_nan_denoised": "step 1: denoised: expected finite values, found NaN",
    "yields_nan_sigma": "step 1: sigma: expected .*, found nan",
    "yields_a_wrong_sigma": "step 1: sigma: expected .*, found 1000",
    "yields_a_word_as_sigma": "step 1: sigma: expected a number, found str",
}


class Plugin:
    @hookimpl
    def latelier_register(self, registrar):
        for name in (*FAULTS, "interrupts", "is_no_function"):
            registrar.sampler(name, factory=f"{__name__}:{name}")


@pytest.fixture
def pipeline(compose_tiny):
    atelier = Atelier(policy=Policy(allow=frozenset()))
    atelier.register(Plugin(), "mine")
    return compose_tiny(atelier)


@pytest.mark.parametrize(("name", "message"), FAULTS.items(), ids=FAULTS)
def test_a_broken_contract_is_an_error_of_the_plugin(pipeline, name, message):
    with pytest.raises(PluginError, match=f"the sampler 'mine/{name}',? {message}"):
        pipeline.generate(prompt="a cat", steps=2, sampler=name)


def test_a_sampler_that_cannot_be_called_is_an_error_of_the_plugin(pipeline):
    with pytest.raises(PluginError, match="sampler 'mine/is_no_function'"):
        pipeline.generate(prompt="a cat", steps=2, sampler="is_no_function")


def test_an_interrupt_of_the_user_passes(pipeline):
    with pytest.raises(KeyboardInterrupt):
        pipeline.generate(prompt="a cat", steps=2, sampler="interrupts")


def test_the_passes_of_repaint_are_checked(pipeline, photo, left_stays):
    with pytest.raises(PluginError, match="the sampler 'mine/yields_numbers', step 1"):
        pipeline.generate(
            prompt="a cat",
            steps=2,
            sampler="yields_numbers",
            init_image=photo,
            mask=left_stays,
            repaint_resamples=2,
        )
