"""ODEs with known solutions, on which samplers are measured.

All are in float64. In each, x0 is a function of x and sigma, and the solutions of the
probability-flow ODE dx/dsigma = (x - x0) / sigma are known in closed form or by bisection.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.frames import FrameOfReference
from latelier.contracts.sampling import run_sampler
from latelier.contracts.sigma_grid import SigmaGrid

GAUSSIAN = torch.tensor([[0.3, -0.5, 0.1, 0.8], [0.1, 0.4, 0.9, 1.3]], dtype=torch.float64)
"""Means and standard deviations."""

MIXTURE = torch.tensor([[-1.2, 0.1, 1.5], [0.5, 0.3, 0.6], [0.3, 0.45, 0.25]], dtype=torch.float64)
"""Means, standard deviations and weights."""

Spacing = Callable[[FrameOfReference, int], SigmaGrid]


class Problem(Protocol):
    """A denoiser in a frame, and the solutions of its ODE."""

    @property
    def frame(self) -> FrameOfReference:
        """The frame of x and sigma."""
        ...

    def denoise(self, x: Tensor, sigma: float) -> Tensor:
        """Return x0."""
        ...

    def at(self, sigma: float) -> Tensor:
        """Return x at `sigma` on the solutions."""
        ...


@dataclass(frozen=True)
class Gaussian:
    """Independent normal numbers, (16, 4)."""

    frame: FrameOfReference
    z: ClassVar[Tensor] = torch.randn(
        16, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )

    def denoise(self, x: Tensor, sigma: float) -> Tensor:
        """Return the mean of x0 given x."""
        a, (mean, std) = frames.alpha(self.frame, sigma), GAUSSIAN
        x0: Tensor = mean + a * std**2 / (a**2 * std**2 + sigma**2) * (x - a * mean)
        return x0

    def at(self, sigma: float) -> Tensor:
        """Return x at `sigma` on the solutions of z, which is standard normal."""
        a, (mean, std) = frames.alpha(self.frame, sigma), GAUSSIAN
        x: Tensor = a * mean + (a**2 * std**2 + sigma**2).sqrt() * self.z
        return x


@dataclass(frozen=True)
class Mixture:
    """A mixture of three normals, (21, 1). A solution in one dimension stays at its quantile."""

    frame: FrameOfReference
    z: ClassVar[Tensor] = torch.linspace(-2.5, 2.5, 21, dtype=torch.float64)[:, None]

    def denoise(self, x: Tensor, sigma: float) -> Tensor:
        """Return the mean of x0 given x."""
        a, centre, variance = self._parts(sigma)
        mean, std, weight = MIXTURE
        off = x[..., None] - centre
        share = torch.softmax((weight / variance.sqrt()).log() - off**2 / (2 * variance), -1)
        x0: Tensor = (share * (mean + a * std**2 / variance * off)).sum(-1)
        return x0

    def at(self, sigma: float) -> Tensor:
        """Return x at `sigma` at the quantiles that z has in a standard normal, by bisection."""
        _, centre, variance = self._parts(sigma)
        low, high = torch.full_like(self.z, -50), torch.full_like(self.z, 50)
        for _ in range(64):
            x = (low + high) / 2
            shares = torch.special.ndtr((x[..., None] - centre) / variance.sqrt())
            below = (MIXTURE[2] * shares).sum(-1) < torch.special.ndtr(self.z)
            low, high = torch.where(below, x, low), torch.where(below, high, x)
        return (low + high) / 2

    def _parts(self, sigma: float) -> tuple[float, Tensor, Tensor]:
        a, (mean, std, _) = frames.alpha(self.frame, sigma), MIXTURE
        return a, a * mean, a**2 * std**2 + sigma**2


@dataclass(frozen=True)
class Straight:
    """x = (1 + sigma + bend^6 / 2) * z. Where bend is 0, above a sigma, all methods are exact."""

    frame: FrameOfReference
    z: ClassVar[Tensor] = torch.tensor([[-1.5, 0.3, 1.0]], dtype=torch.float64)

    def denoise(self, x: Tensor, sigma: float) -> Tensor:
        """Return the x0 for which these are the solutions of the ODE."""
        bend, d_bend = self._bend(sigma)
        return x - sigma * x * (1 + 3 * bend**5 * d_bend) / (1 + sigma + bend**6 / 2)

    def at(self, sigma: float) -> Tensor:
        """Return x at `sigma`."""
        return (1 + sigma + self._bend(sigma)[0] ** 6 / 2) * self.z

    def _bend(self, sigma: float) -> tuple[float, float]:
        start, width = (2.2, 1.5) if self.frame == "ve" else (0.7, 0.5)
        return max(start - sigma, 0) / width, -1 / width


def logarithmic(frame: FrameOfReference, steps: int) -> SigmaGrid:
    """Return sigmas above 0, even in log(sigma / alpha) and so not in sigma."""
    ratios = [1.2 * (0.1 / 1.2) ** (i / steps) for i in range(steps + 1)]
    return SigmaGrid(tuple(ratios if frame == "ve" else (r / (1 + r) for r in ratios)), frame)


def even(frame: FrameOfReference, steps: int) -> SigmaGrid:
    """Return sigmas above 0 that are evenly spaced."""
    high, low = (3.0, 0.8) if frame == "ve" else (0.9, 0.2)
    return SigmaGrid(tuple(high + i / steps * (low - high) for i in range(steps + 1)), frame)


def observed_orders(
    sampler: Any,
    problem: Problem,
    spacing: Spacing,
    counts: Sequence[int] = (160, 320),
    *,
    is_inversion: bool = False,
) -> list[float]:
    """Return the observed order between each two of `counts`, numbers of steps."""

    def denoise(x: Tensor, sigma: float | Tensor, /) -> Tensor:
        return problem.denoise(x, float(sigma))

    errors = []
    for steps in counts:
        grid = spacing(problem.frame, steps)
        first, last = (
            (grid.sigmas[-1], grid.sigmas[0]) if is_inversion else grid.sigmas[:: grid.steps]
        )
        *_, step = run_sampler(sampler, denoise, problem.at(first), grid)
        errors.append(float((step.x - problem.at(last)).norm()))
    return [math.log2(a / b) for a, b in pairwise(errors)]
