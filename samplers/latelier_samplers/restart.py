"""Restart sampling (Xu et al., arXiv:2306.14878)."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, NamedTuple

import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.ancestral import renoised
from latelier_samplers.heun import heun_step


class Interval(NamedTuple):
    """Where to restart: `times` times from sigma / alpha `low` up to `high`, back in `steps`."""

    steps: Annotated[int, Field(ge=1)]
    times: Annotated[int, Field(ge=1)]
    low: Annotated[float, Field(gt=0)]
    high: Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _rises(interval: Interval) -> Interval:
    if not interval.low < interval.high:
        raise ValueError(f"goes from low to high, not from {interval.low:g} to {interval.high:g}")
    return interval


def restart(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
    *,
    noise: Noise,
    intervals: Annotated[
        tuple[Annotated[Interval, AfterValidator(_rises)], ...],
        Field(description="each: steps, times, low and high, the latter two as sigma / alpha"),
    ] = (Interval(steps=4, times=2, low=0.1, high=2.0),),
) -> Iterator[Step]:
    """Yield Heun's steps, with restarts inside those that end next to the `low` of an interval.

    There, fresh noise takes x up to `high`, and Heun's steps (spaced as by Karras et al., rho 7)
    bring it back; again, `times` in all. These 2 * steps * times calls of `denoise` come beside the
    two of every step (one to sigma 0). An interval that does not lie within the grid is left out:
    a picture that is sampled from half way keeps what it has.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        x, denoised = heun_step(denoise, x, sigma, to)
        for interval in intervals:
            if index + 1 != _place(grid, interval):
                continue
            way = _way(grid, interval, to)
            for _ in range(interval.times):
                x = renoised(x, grid, to, way[0], noise(to, way[0]))
                for high, low in pairwise(way):
                    x, denoised = heun_step(denoise, x, high, low)
        yield Step(index, to, x, denoised)


def _place(grid: SigmaGrid, interval: Interval) -> int | None:
    """Return the index of the sigma nearest to the interval's low; None if it does not fit."""
    low, high = -math.log(interval.low), -math.log(interval.high)
    within = [
        i
        for i, sigma in enumerate(grid.sigmas)
        if i and sigma > 0 and grid.log_snr(grid.sigmas[0]) <= high < grid.log_snr(sigma)
    ]
    return min(within, key=lambda i: abs(grid.log_snr(grid.sigmas[i]) - low), default=None)


def _way(grid: SigmaGrid, interval: Interval, low: float, rho: float = 7.0) -> list[float]:
    """Return the sigmas from the interval's high down to `low`, one of the grid's."""
    first, last = interval.high ** (1 / rho), math.exp(-grid.log_snr(low) / rho)
    ratios = [(first + i / interval.steps * (last - first)) ** rho for i in range(interval.steps)]
    return [*(frames.sigma_at(grid.frame, -math.log(ratio)) for ratio in ratios), low]
