"""A faultless acceleration, and faulty ones made of it."""

from dataclasses import replace
from typing import Annotated

import torch
from pydantic import Field

from latelier.contracts.components import Control
from latelier.diffusion.accelerations.step_cache import StepCache
from latelier.diffusion.accelerations.token_merging import TokenMerging

Interval = Annotated[int, Field(ge=1, description="steps; 1: exact")]


def skips(predict, sigmas, /, *, interval: Interval = 2):
    """Faultless."""
    if interval == 1:
        return predict
    cache = StepCache(sigmas, interval)

    def estimate(x, sigma, conditions, control=None):
        found = cache.find(sigma, conditions, control)
        if found is None:
            found = predict(x, sigma, conditions, control)
            cache.keep(sigma, conditions, control, found)
        return found

    return estimate


def _changed(predict, sigmas, interval, change):
    """The faultless one, with a change of each of its estimates."""
    made = skips(predict, sigmas, interval=interval)
    if interval == 1:
        return made

    def estimate(x, sigma, conditions, control=None):
        return [change(x0, sigma) for x0 in made(x, sigma, conditions, control)]

    return estimate


def always_double(predict, sigmas, /, *, interval: Interval = 2):
    return _changed(predict, sigmas, interval, lambda x0, sigma: x0.double())


def infinite_at_the_end(predict, sigmas, /, *, interval: Interval = 2):
    def change(x0, sigma):
        last = float(torch.as_tensor(sigma).max()) < sigmas[-3]
        return (
            torch.where(x0 > x0.amax((1, 2, 3), keepdim=True) - 1e-9, torch.inf, x0) if last else x0
        )

    return _changed(predict, sigmas, interval, change)


def never_exact(predict, sigmas, /, *, interval: Interval = 2):
    return skips(predict, sigmas, interval=max(2, interval))


def always_exact(predict, sigmas, /, *, interval: Interval = 2):
    return predict


def centres_the_batch(predict, sigmas, /, *, interval: Interval = 2):
    return _changed(predict, sigmas, interval, lambda x0, sigma: x0 - x0.mean())


def forgets_the_condition(predict, sigmas, /, *, interval: Interval = 2):
    if interval == 1:
        return predict
    cache = StepCache(sigmas, interval)

    def estimate(x, sigma, conditions, control=None):
        found = cache.find(sigma, [], control)
        if found is None:
            found = predict(x, sigma, conditions, control)
            cache.keep(sigma, [], control, found)
        return found

    return estimate


def one_number(predict, sigmas, /, *, interval: Interval = 2):
    made = skips(predict, sigmas, interval=interval)

    def estimate(x, sigma, conditions, control=None):
        skipped = not isinstance(sigma, torch.Tensor)
        return (made if skipped else predict)(x, sigma, conditions, control)

    return estimate


_shared = {}


def in_the_module(predict, sigmas, /, *, interval: Interval = 2):
    """The caches are the module's; a run begins with an empty one."""
    if interval == 1:
        return predict

    def estimate(x, sigma, conditions, control=None):
        if float(torch.as_tensor(sigma).max()) > 0.999 * sigmas[0]:
            _shared[tuple(conditions)] = StepCache(sigmas, interval)
        cache = _shared[tuple(conditions)]
        found = cache.find(sigma, conditions, control)
        if found is None:
            found = predict(x, sigma, conditions, control)
            cache.keep(sigma, conditions, control, found)
        return found

    return estimate


def counts_calls(predict, sigmas, /, *, interval: Interval = 2):
    """Every `interval`-th call under some conditions computes, wherever it is."""
    kept = {}

    def estimate(x, sigma, conditions, control=None):
        calls, found = kept.get(tuple(conditions), (0, None))
        if calls % interval == 0:
            found = predict(x, sigma, conditions, control)
        kept[tuple(conditions)] = calls + 1, found
        return found

    return estimate


def loses_controls(predict, sigmas, /, *, interval: Interval = 2):
    made = skips(predict, sigmas, interval=interval)
    return lambda x, sigma, conditions, control=None: made(x, sigma, conditions)


def undivided(predict, sigmas, /, *, interval: Interval = 2):
    """Wraps the branch with features of the whole call, and keeps them for each part of it."""
    if interval == 1 or "deep_branch" not in predict.config.supports:
        return predict
    made = skips(predict, sigmas, interval=interval)

    class Branch:
        depth = 1

        def __init__(self):
            self.calls = 0

        def __call__(self, compute):
            self.calls += 1
            return compute() if self.calls == 1 else 0 * compute()

        def select(self, rows):
            return self

    def estimate(x, sigma, conditions, control=None):
        return made(x, sigma, conditions, replace(control or Control(), deep_branch=Branch()))

    return estimate


def scales_in_place(predict, sigmas, /, *, interval: Interval = 2):
    return _changed(predict, sigmas, interval, lambda x0, sigma: x0.add_(1e-9))


def jitters(predict, sigmas, /, *, interval: Interval = 2):
    def change(x0, sigma):
        own = torch.Generator().manual_seed(0)
        return x0 + 1e-9 * torch.bernoulli(torch.full_like(x0[:1], 0.5), generator=own)

    return _changed(predict, sigmas, interval, change)


def any_denoiser(predict, sigmas, /, *, interval: Interval = 2):
    """Wraps self-attentions of any denoiser."""
    if interval == 1:
        return predict
    merging = TokenMerging(0.5, 16)

    def estimate(x, sigma, conditions, control=None):
        control = replace(control or Control(), self_attention=merging)
        return predict(x, sigma, conditions, control)

    return estimate
