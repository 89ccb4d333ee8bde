"""Four faultless samplers, and faulty ones made of them."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field

from latelier import Step

Strength = Annotated[float, Field(description="how much of it")]


def euler(denoise, x, sigmas, /) -> Iterator[Step]:
    """Faultless, of order 1."""
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        x = torch.lerp(denoised, x, sigma_next / sigma)
        yield Step(index, sigma_next, x, denoised)


def heun(denoise, x, sigmas, /) -> Iterator[Step]:
    """Faultless, of order 2."""
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        slope = (x - denoised) / sigma
        x_next = x + (sigma_next - sigma) * slope
        if sigma_next > 0:
            denoised = denoise(x_next, sigma_next)
            x_next = x + (sigma_next - sigma) / 2 * (slope + (x_next - denoised) / sigma_next)
        x = x_next
        yield Step(index, sigma_next, x, denoised)


def midpoint(denoise, x, sigmas, /) -> Iterator[Step]:
    """Faultless, of order 2; on a Gaussian, where its leading error cancels, of order 3."""
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        sigma_mid = (sigma + sigma_next) / 2
        x_mid = torch.lerp(denoised, x, sigma_mid / sigma)
        denoised = denoise(x_mid, sigma_mid)
        x = x + (sigma_next - sigma) * (x_mid - denoised) / sigma_mid
        yield Step(index, sigma_next, x, denoised)


def ancestral(denoise, x, sigmas, /, *, noise, strength: Strength = 0.5) -> Iterator[Step]:
    """Faultless, stochastic."""
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        x = torch.lerp(denoised, x, sigma_next / sigma)
        x = x + strength * sigma_next * sigmas.alpha(sigma) * noise(sigma, sigma_next).to(x.dtype)
        yield Step(index, sigma_next, x, denoised)


# ------------------------------------------------------------------------------------ the steps


def calls_twice(denoise, x, sigmas, /):
    return euler(lambda x, sigma: (denoise(x, sigma) + denoise(x, sigma)) / 2, x, sigmas)


def at_sigma_0(denoise, x, sigmas, /):
    """Looks again at where it has come, for a better preview."""
    for step in euler(denoise, x, sigmas):
        yield Step(step.index, step.sigma, step.x, denoise(step.x, step.sigma))


def tells_where_it_was(denoise, x, sigmas, /):
    steps = euler(denoise, x, sigmas)
    for sigma, step in zip(sigmas, steps, strict=False):
        yield Step(step.index, sigma, step.x, step.denoised)


def one_step_too_few(denoise, x, sigmas, /):
    for step in euler(denoise, x, sigmas):
        if step.index < sigmas.steps - 1:
            yield step


def looks_before_it_is_asked(denoise, x, sigmas, /):
    first = denoise(x, sigmas[0])
    asked = []

    def again(x, sigma):
        asked.append(sigma)
        return first if len(asked) == 1 else denoise(x, sigma)

    return euler(again, x, sigmas)


def works_in_place(denoise, x, sigmas, /):
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        x.lerp_(denoised, 1 - sigma_next / sigma)
        yield Step(index, sigma_next, x, denoised)


# ---------------------------------------------------------------------------------- the numbers


def adams(denoise, x, sigmas, /):
    """Three slopes with the weights of even steps, begun by fewer: of order 2 at most."""
    slopes = []
    weights = {1: (1.0,), 2: (-1 / 2, 3 / 2), 3: (5 / 12, -16 / 12, 23 / 12)}
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        slopes = [*slopes[-2:], (x - denoised) / sigma]
        mean = sum(w * slope for w, slope in zip(weights[len(slopes)], slopes, strict=True))
        x = x + (sigma_next - sigma) * mean
        yield Step(index, sigma_next, x, denoised)


def nan_preview(denoise, x, sigmas, /):
    """Its preview divides by alpha, which is 0 at pure noise."""
    for step in euler(denoise, x, sigmas):
        alpha = torch.tensor(sigmas.alpha(sigmas[step.index]))
        yield Step(step.index, step.sigma, step.x, step.denoised * alpha / alpha)


def single_precision(denoise, x, sigmas, /):
    """Rounds x to float32, also where it came in float64."""
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        x = torch.lerp(denoised, x, sigma_next / sigma).float()
        yield Step(index, sigma_next, x, denoised)


def collapses(denoise, x, sigmas, /):
    for step in euler(denoise, x, sigmas):
        yield Step(step.index, step.sigma, step.x * 1e-3, step.denoised)


# ------------------------------------------------------------------------- images, runs, noise


def over_the_batch(denoise, x, sigmas, /):
    def limited(x, sigma):
        x0 = denoise(x, sigma)
        return x0 / x0.abs().amax().clamp(min=1e-3)

    return euler(limited, x, sigmas)


_before = {}


def keeps_in_module(denoise, x, sigmas, /):
    """Averages with the previous estimate, kept in the module and reset by each run."""
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        before = _before.get("x0", denoised) if index else denoised
        _before["x0"] = denoised
        x = torch.lerp((denoised + before) / 2, x, sigma_next / sigma)
        yield Step(index, sigma_next, x, denoised)


def noise_of_its_own(denoise, x, sigmas, /):
    for step in euler(denoise, x, sigmas):
        own = torch.Generator().manual_seed(step.index)
        x = step.x + 1e-3 * torch.randn(step.x.shape[1:], generator=own).to(step.x.dtype)
        yield Step(step.index, step.sigma, x, step.denoised)


def undeclared_noise(denoise, x, sigmas, /, *, noise):
    return ancestral(denoise, x, sigmas, noise=noise)


# ------------------------------------------------------------------------------------- options


def mute_option(denoise, x, sigmas, /, *, strength: float = 0.5):
    return euler(denoise, x, sigmas)


def needed_option(denoise, x, sigmas, /, *, strength: Strength):
    return euler(denoise, x, sigmas)


def any_option(denoise, x, sigmas, /, **options):
    return euler(denoise, x, sigmas)
