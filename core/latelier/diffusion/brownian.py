"""Noise for samplers from one path for each image, whatever the steps."""

import math
from collections.abc import Sequence
from hashlib import blake2b

import torch
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.frames import FrameOfReference
from latelier.diffusion.noise import PerImageNoise

_REACH = 16.0
"""Of lambda = log(alpha / sigma): the path covers sigma from 1e-7 to 1e7."""

_DEPTH = 20
"""Halvings of that range: points closer than 3e-5 are drawn independently."""


class BrownianNoise:
    """Draws unit-variance float32 noise (B, *shape), the increments of a Brownian motion.

    Its time is the signal-to-noise ratio (alpha / sigma)^2. For a constant x0, x / sigma^2 (at
    alpha 1) of the reverse SDE is x0 times that time, plus a Brownian motion in it. So the noise of
    two steps adds up to that of the one step that they divide: with more steps a stochastic sampler
    converges to one picture, where independent noise makes another.

    Row k is the path of `seeds[k]`: a tree of halved intervals of log(alpha / sigma), each midpoint
    drawn given the ends from a generator that is seeded by its place. `initial` is that of
    `PerImageNoise`. So is the noise for a step up (`sigma_to` above `sigma_from`: churn, restarts)
    or beyond the ends of the path, which is independent of the path.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        shape: Sequence[int],
        frame: FrameOfReference,
        device: torch.device | str = "cpu",
    ) -> None:
        self._independent = PerImageNoise(seeds, shape, device)
        self._paths = [_Path(seed, shape) for seed in seeds]
        self._frame: FrameOfReference = frame
        self._device = device

    def initial(self) -> Tensor:
        """Return the noise to begin with, (B, *shape)."""
        return self._independent.initial()

    def __call__(self, sigma_from: float, sigma_to: float, /) -> Tensor:
        """Return the noise for the step between two sigmas, (B, *shape)."""
        if sigma_to > sigma_from:
            return self._independent(sigma_from, sigma_to)
        ends = [frames.half_log_snr(self._frame, sigma) for sigma in (sigma_from, sigma_to)]
        start, end = (min(max(each, -_REACH), _REACH) for each in ends)
        if start == end:
            return self._independent(sigma_from, sigma_to)
        scale = 1 / math.sqrt(_time(end) - _time(start))
        increments = [(path.at(end) - path.at(start)) * scale for path in self._paths]
        return torch.stack(increments).float().to(self._device)


class _Path:
    """A Brownian motion over time exp(2 u), as a function of u from -_REACH to _REACH.

    It keeps the intervals that led to the last point: the next point is likely to lie in them.
    """

    def __init__(self, seed: int, shape: Sequence[int]) -> None:
        self._seed, self._shape = seed, tuple(shape)
        first = self._draw("first") * math.sqrt(_time(-_REACH))
        last = first + self._draw("last") * math.sqrt(_time(_REACH) - _time(-_REACH))
        self._intervals = [(-_REACH, _REACH, first, last)]

    def at(self, u: float) -> Tensor:
        """Return the value at `u`, float64."""
        while not self._intervals[-1][0] <= u <= self._intervals[-1][1]:
            self._intervals.pop()
        while True:
            low, high, first, last = self._intervals[-1]
            if u in (low, high):
                return first if u == low else last
            leaf = len(self._intervals) > _DEPTH
            middle = u if leaf else (low + high) / 2
            share = (_time(middle) - _time(low)) / (_time(high) - _time(low))
            std = math.sqrt(share * (_time(high) - _time(middle)))
            value = first.lerp(last, share).add_(self._draw(middle.hex()), alpha=std)
            if leaf:
                return value
            half = (low, middle, first, value) if u < middle else (middle, high, value, last)
            self._intervals.append(half)

    def _draw(self, place: str) -> Tensor:
        """Return the standard normal numbers of a place, the same ones at each call."""
        digest = blake2b(f"{self._seed} {place}".encode(), digest_size=8).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest))
        return torch.randn(self._shape, generator=generator).double()


def _time(u: float) -> float:
    return math.exp(2 * u)
