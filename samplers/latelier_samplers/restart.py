"""Restart sampling (Xu et al., arXiv:2306.14878)."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.ancestral import renoise
from latelier_samplers.heun import heun_step


class Interval(NamedTuple):
    """An interval to restart: `times` times from `low` up to `high` and back in `steps` steps.

    Attributes:
        steps: of each way back.
        times: number of restarts.
        low: sigma / alpha at which it begins.
        high: sigma / alpha up to which noise is added.
    """

    steps: Annotated[int, Field(ge=1, le=1000)]
    times: Annotated[int, Field(ge=1, le=1000)]
    low: Annotated[float, Field(gt=0)]
    high: Annotated[float, Field(gt=0, le=1e6)]


def _check_order(interval: Interval) -> Interval:
    if not interval.low < interval.high:
        raise ValueError(
            f"an interval goes from low to high, not from {interval.low:g} to {interval.high:g}"
        )
    return interval


def restart(
    denoise: Denoise,
    x: Tensor,
    sigmas: SigmaGrid,
    /,
    *,
    noise: Noise,
    intervals: Annotated[
        tuple[Annotated[Interval, AfterValidator(_check_order)], ...],
        Field(description="each: steps, times, low and high, the latter two as sigma / alpha"),
    ] = (Interval(steps=4, times=2, low=0.1, high=2.0),),
) -> Iterator[Step]:
    """Yield Heun's steps, with restarts inside those that end nearest to the `low` of an interval.

    There, fresh noise takes x up to `high`, and Heun's steps (spaced as by Karras et al., rho 7)
    bring it back; this happens `times` times. The 2 * steps * times calls of `denoise` add to the
    two of every step (one to sigma 0). An interval that does not lie within the sigmas is left out,
    so that a run from half way keeps what its picture has.
    """
    places = [_find_place(sigmas, interval) for interval in intervals]
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        x, denoised = heun_step(denoise, x, sigma, sigma_next)
        for interval, place in zip(intervals, places):
            for _ in range(interval.times if place == index + 1 else 0):
                way = _sigmas_back(sigmas, interval, sigma_next)
                x = renoise(x, sigmas, sigma_next, way[0], noise(sigma_next, way[0]))
                for high, low in pairwise(way):
                    x, denoised = heun_step(denoise, x, high, low)
        yield Step(index, sigma_next, x, denoised)


def _find_place(sigmas: SigmaGrid, interval: Interval) -> int | None:
    """Return the index of the sigma nearest to the interval's low; None if it does not fit."""
    low, high = -math.log(interval.low), -math.log(interval.high)
    within = [
        i
        for i, sigma in enumerate(sigmas)
        if i and sigma > 0 and sigmas.half_log_snr(sigmas[0]) <= high < sigmas.half_log_snr(sigma)
    ]
    return min(within, key=lambda i: abs(sigmas.half_log_snr(sigmas[i]) - low), default=None)


def _sigmas_back(
    sigmas: SigmaGrid, interval: Interval, low: float, rho: float = 7.0
) -> list[float]:
    """Return the sigmas from the interval's high down to `low`, one of `sigmas`."""
    first, last = interval.high ** (1 / rho), math.exp(-sigmas.half_log_snr(low) / rho)
    ratios = [(first + i / interval.steps * (last - first)) ** rho for i in range(interval.steps)]
    return [*(frames.sigma_at(sigmas.frame, -math.log(ratio)) for ratio in ratios), low]
