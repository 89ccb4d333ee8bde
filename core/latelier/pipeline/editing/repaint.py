"""Resampling (RePaint: Lugmayr et al., arXiv:2201.09865, section 4.2).

Where a part of a picture is held, what is made beside it is drawn to fit it at one noise level at a
time, and the model cannot take back what it did at the levels before. So each stretch of the run is
made several times: noise is added to its end until it is at the level of its beginning, and it is
sampled again, now from a state that has seen what is held.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Sampler, Step
from latelier.contracts.sigma_grid import SigmaGrid

_STRETCHES = 25
"""In how many stretches a run is cut: 10 of 250 steps each, in the paper."""


def resampled(sampler: Sampler, times: int) -> Sampler:
    """Return a sampler that makes each stretch of a run `times` times with another.

    It yields the steps of the last time, and calls the model `times` as often. The sampler begins
    anew with each stretch: one that looks back at earlier steps has none at its beginning, and with
    37 steps or fewer nowhere. Where a part is held this is worth its time: of two pixels with the
    correlation 0.9, one held at 1.5, the other comes out at 0.6 on average without it, at 1.26 with
    10 times, and should at 1.35.
    """

    def resampling(
        denoise: Denoise, x: Tensor, grid: SigmaGrid, /, *, noise: Noise, **options: Any
    ) -> Iterator[Step]:
        jump = max(1, round(grid.steps / _STRETCHES))
        for start in range(0, grid.steps, jump):
            stretch = SigmaGrid(grid.sigmas[start : start + jump + 1], grid.frame)
            first, last = stretch.sigmas[0], stretch.sigmas[-1]
            for turn in range(times):
                begun = x if turn == 0 else _noised_again(x, stretch, noise(last, first))
                for step in sampler(denoise, begun, stretch, noise=noise, **options):
                    x = step.x
                    if turn == times - 1:
                        yield replace(step, index=start + step.index)

    return resampling


def _noised_again(x: Tensor, stretch: SigmaGrid, eps: Tensor) -> Tensor:
    """Return x of the last sigma with as much noise as makes it one of the first."""
    first, last = stretch.sigmas[0], stretch.sigmas[-1]
    ratio = stretch.alpha(first) / stretch.alpha(last)
    return (x * ratio).add(eps, alpha=math.sqrt(first**2 - (ratio * last) ** 2))
