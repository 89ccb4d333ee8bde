"""Three faultless samplers, and faulty ones made of them."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field

from latelier import Step

Strength = Annotated[float, Field(description="how much of it")]


def wide(x):
    return x.to(torch.promote_types(x.dtype, torch.float32))


def euler(denoise, x, grid, /, *, noise) -> Iterator[Step]:
    """Faultless, of order 1."""
    x = wide(x)
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma)
        x = torch.lerp(denoised.to(x.dtype), x, to / sigma)
        yield Step(index, to, x, denoised)


def heun(denoise, x, grid, /, *, noise) -> Iterator[Step]:
    """Faultless, of order 2."""
    x = wide(x)
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma).to(x.dtype)
        slope = (x - denoised) / sigma
        there = x + (to - sigma) * slope
        if to > 0:
            denoised = denoise(there, to).to(x.dtype)
            there = x + (to - sigma) / 2 * (slope + (there - denoised) / to)
        x = there
        yield Step(index, to, x, denoised)


def ancestral(denoise, x, grid, /, *, noise, strength: Strength = 0.5) -> Iterator[Step]:
    """Faultless, stochastic."""
    x = wide(x)
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma).to(x.dtype)
        x = torch.lerp(denoised, x, to / sigma)
        x = x + strength * to * grid.alpha(sigma) * noise(sigma, to).to(x.dtype)
        yield Step(index, to, x, denoised)


# ------------------------------------------------------------------------------------ the steps


def calls_twice(denoise, x, grid, /, *, noise):
    return euler(lambda x, sigma: (denoise(x, sigma) + denoise(x, sigma)) / 2, x, grid, noise=noise)


def at_sigma_0(denoise, x, grid, /, *, noise):
    """Looks again at where it has come, for a better preview."""
    for step in euler(denoise, x, grid, noise=noise):
        yield Step(step.index, step.sigma, step.x, denoise(step.x, step.sigma))


def tells_where_it_was(denoise, x, grid, /, *, noise):
    steps = euler(denoise, x, grid, noise=noise)
    for sigma, step in zip(grid.sigmas, steps, strict=False):
        yield Step(step.index, sigma, step.x, step.denoised)


def one_step_too_few(denoise, x, grid, /, *, noise):
    for step in euler(denoise, x, grid, noise=noise):
        if step.index < grid.steps - 1:
            yield step


def looks_before_it_is_asked(denoise, x, grid, /, *, noise):
    first = denoise(wide(x), grid.sigmas[0])
    asked = []

    def again(x, sigma):
        asked.append(sigma)
        return first if len(asked) == 1 else denoise(x, sigma)

    return euler(again, x, grid, noise=noise)


def works_in_place(denoise, x, grid, /, *, noise):
    x = wide(x)
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma)
        x.lerp_(denoised.to(x.dtype), 1 - to / sigma)
        yield Step(index, to, x, denoised)


# ---------------------------------------------------------------------------------- the numbers


def adams(denoise, x, grid, /, *, noise):
    """Three slopes with the weights of even steps, begun by fewer: of order 2 at most."""
    x, slopes = wide(x), []
    weights = {1: (1.0,), 2: (-1 / 2, 3 / 2), 3: (5 / 12, -16 / 12, 23 / 12)}
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma).to(x.dtype)
        slopes = [*slopes[-2:], (x - denoised) / sigma]
        mean = sum(w * slope for w, slope in zip(weights[len(slopes)], slopes, strict=True))
        x = x + (to - sigma) * mean
        yield Step(index, to, x, denoised)


def nan_preview(denoise, x, grid, /, *, noise):
    """Its preview divides by alpha, which is 0 at pure noise."""
    sigmas = grid.sigmas
    for step in euler(denoise, x, grid, noise=noise):
        alpha = torch.tensor(grid.alpha(sigmas[step.index]))
        yield Step(step.index, step.sigma, step.x, step.denoised * alpha / alpha)


def half_precision(denoise, x, grid, /, *, noise):
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma).to(x.dtype)
        x = torch.lerp(denoised, x, to / sigma)
        yield Step(index, to, x, denoised)


def collapses(denoise, x, grid, /, *, noise):
    for step in euler(denoise, x, grid, noise=noise):
        yield Step(step.index, step.sigma, step.x * 1e-3, step.denoised)


# ------------------------------------------------------------------------- images, runs, noise


def over_the_batch(denoise, x, grid, /, *, noise):
    def limited(x, sigma):
        x0 = denoise(x, sigma)
        return x0 / x0.abs().amax().clamp(min=1e-3)

    return euler(limited, x, grid, noise=noise)


_before = {}


def keeps_in_module(denoise, x, grid, /, *, noise):
    """Averages with the estimate before, which it keeps in the module; begun anew by each run."""
    x = wide(x)
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma).to(x.dtype)
        before = _before.get("x0", denoised) if index else denoised
        _before["x0"] = denoised
        x = torch.lerp((denoised + before) / 2, x, to / sigma)
        yield Step(index, to, x, denoised)


def noise_of_its_own(denoise, x, grid, /, *, noise):
    for step in euler(denoise, x, grid, noise=noise):
        own = torch.Generator().manual_seed(step.index)
        x = step.x + 1e-3 * torch.randn(step.x.shape[1:], generator=own).to(step.x.dtype)
        yield Step(step.index, step.sigma, x, step.denoised)


def undeclared_noise(denoise, x, grid, /, *, noise):
    return ancestral(denoise, x, grid, noise=noise)


# ------------------------------------------------------------------------------------- options


def mute_option(denoise, x, grid, /, *, noise, strength: float = 0.5):
    return euler(denoise, x, grid, noise=noise)


def needed_option(denoise, x, grid, /, *, noise, strength: Strength):
    return euler(denoise, x, grid, noise=noise)


def any_option(denoise, x, grid, /, *, noise, **options):
    return euler(denoise, x, grid, noise=noise)
