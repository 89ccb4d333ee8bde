"""A faultless guidance rule, and faulty ones made of it."""

import math
from typing import Annotated

import torch
from pydantic import Field

Scale = Annotated[float, Field(ge=0, description="1: the condition alone")]


def extrapolated(predict, condition, null, sigmas, /, *, scale: Scale = 3.0):
    """Faultless."""
    if scale == 1:
        return lambda x, sigma: predict(x, sigma, [condition])[0]

    def denoise(x, sigma, /):
        x0, x0_null = predict(x, sigma, [condition, condition.updated(null)])
        return x0_null + scale * (x0 - x0_null)

    return denoise


def both_at_1(predict, condition, null, sigmas, /, *, scale: Scale = 3.0):
    def denoise(x, sigma, /):
        x0, x0_null = predict(x, sigma, [condition, condition.updated(null)])
        return x0 if scale == 1 else x0_null + scale * (x0 - x0_null)

    return denoise


def forgets_the_size(predict, condition, null, sigmas, /, *, scale: Scale = 3.0):
    if scale == 1:
        return extrapolated(predict, condition, null, sigmas, scale=scale)

    def denoise(x, sigma, /):
        x0, x0_null = predict(x, sigma, [condition, null])
        return x0_null + scale * (x0 - x0_null)

    return denoise


def other_precision(predict, condition, null, sigmas, /, *, scale: Scale = 3.0):
    if scale == 1:
        return extrapolated(predict, condition, null, sigmas, scale=scale)
    made = extrapolated(predict, condition, null, sigmas, scale=scale)
    return lambda x, sigma: made(x, sigma).double()


def nan_at_the_end(predict, condition, null, sigmas, /, *, scale: Scale = 3.0):
    made = extrapolated(predict, condition, null, sigmas, scale=scale)

    def denoise(x, sigma, /):
        x0 = made(x, sigma)
        last = math.isclose(float(torch.as_tensor(sigma).max()), sigmas[-2], rel_tol=1e-6)
        return torch.where(x0.abs() > 1, torch.inf, x0) if last and scale != 1 else x0

    return denoise


def does_nothing(predict, condition, null, sigmas, /, *, scale: Scale = 3.0):
    return extrapolated(predict, condition, null, sigmas, scale=1)


def of_the_batch(predict, condition, null, sigmas, /, *, scale: Scale = 3.0):
    made = extrapolated(predict, condition, null, sigmas, scale=scale)
    if scale == 1:
        return made

    def denoise(x, sigma, /):
        x0 = made(x, sigma)
        return x0 / x0.std()

    return denoise


def one_sigma(predict, condition, null, sigmas, /, *, scale: Scale = 3.0):
    made = extrapolated(predict, condition, null, sigmas, scale=scale)

    def denoise(x, sigma, /):
        acts = not isinstance(sigma, torch.Tensor)
        return made(x, sigma) if acts else predict(x, sigma, [condition])[0]

    return denoise


_last = {}


def keeps_momentum(predict, condition, null, sigmas, /, *, scale: Scale = 3.0):
    """The momentum is the module's; a run begins by forgetting it."""
    made = extrapolated(predict, condition, null, sigmas, scale=scale)
    if scale == 1:
        return made

    def denoise(x, sigma, /):
        if math.isclose(float(torch.as_tensor(sigma).max()), sigmas[0], rel_tol=1e-6):
            _last.clear()
        x0 = made(x, sigma)
        _last["x0"] = (x0 + _last.get("x0", x0)) / 2
        return _last["x0"]

    return denoise


def in_place(predict, condition, null, sigmas, /, *, scale: Scale = 3.0):
    if scale == 1:
        return extrapolated(predict, condition, null, sigmas, scale=scale)

    def denoise(x, sigma, /):
        x0, x0_null = predict(x, sigma, [condition, condition.updated(null)])
        return x0.sub_(x0_null).mul_(scale).add_(x0_null)

    return denoise


def dithers(predict, condition, null, sigmas, /, *, scale: Scale = 3.0):
    made = extrapolated(predict, condition, null, sigmas, scale=scale)
    if scale == 1:
        return made

    def denoise(x, sigma, /):
        own = torch.Generator().manual_seed(0)
        return made(x, sigma) + 1e-6 * torch.randn(x.shape[1:], generator=own).to(x.dtype)

    return denoise
