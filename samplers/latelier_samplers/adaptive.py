"""Steps as long as their error allows, for each image its own."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.frames import per_image
from latelier.contracts.sampling import Denoise, Noise, Step
from latelier.contracts.sigma_grid import SigmaGrid

_SHORTEST = 1e-3


def adaptive(
    denoise: Denoise,
    x: Tensor,
    grid: SigmaGrid,
    /,
    *,
    noise: Noise,  # noqa: ARG001
    tolerance: Annotated[
        float,
        Field(
            gt=0,
            description="error of a step, as a share of the root mean square of x where it ends",
        ),
    ] = 0.005,
) -> Iterator[Step]:
    """Yield a step for each of the grid, within which `denoise` is called as often as it takes.

    Each image goes down by steps of its own, which have three calls: Ralston's third-order method
    on dx/dsigma = (x - x0) / sigma and the midpoint rule within it, whose difference is the error
    (the pair of Bogacki and Shampine, 1989, without its call at the end of a step, so that steps to
    sigma 0 are controlled like all others). A step that errs by more than `tolerance` is made again
    and shorter. So the grid's spacing matters little: that of 'karras' with few steps is enough.

    `denoise` sees the whole batch, with a sigma for each image; an image that has reached the end
    of a grid step waits there for the slowest, and nothing of the others changes it. No step is
    shorter than 0.001 of its sigma.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    ways = [_Way(grid.sigmas[0]) for _ in x]
    for index, to in enumerate(grid.sigmas[1:]):
        denoised = x
        while any(way.sigma > to for way in ways):
            spans = [way.span(to) for way in ways]
            x_to, errors, x0 = _ralston(denoise, x, spans)
            taken = []
            for way, (_, target), error in zip(ways, spans, errors):
                allowed = tolerance * math.hypot(grid.alpha(target), target)
                taken.append(way.sigma > to and way.take(target, error / allowed))
            mask = torch.tensor(taken, device=x.device).view(-1, *[1] * (x.ndim - 1))
            x, denoised = torch.where(mask, x_to, x), torch.where(mask, x0, denoised)
        yield Step(index, to, x, denoised)


@dataclass
class _Way:
    """How far down an image is, and by which share of its sigma it wants to go next."""

    sigma: float
    share: float = 0.1
    asked: float = math.inf

    def span(self, end: float) -> tuple[float, float]:
        """Return the sigmas between which to step; for one that waits at `end`, the last sigma."""
        if self.sigma > end:
            self.asked = self.sigma
            return self.sigma, max(self.sigma * (1 - self.share), end)
        return self.asked, self.asked

    def take(self, target: float, error: float) -> bool:
        """Go to `target` if the error of that step, in units of what is allowed, is at most 1.

        The error is of third order. One that is not a number does not become one in shorter steps.
        """
        share = 1 - target / self.sigma
        taken = self.share <= _SHORTEST or not error > 1
        factor = min(max(0.9 * error ** (-1 / 3), 0.2), 5.0) if error > 0 else 5.0
        longest = self.share if taken else 0.0  # the end may have cut the step short
        self.share = min(max(share * factor, longest, _SHORTEST), 1.0)
        if taken:
            self.sigma = target
        return taken


def _ralston(
    denoise: Denoise, x: Tensor, spans: Sequence[tuple[float, float]]
) -> tuple[Tensor, list[float], Tensor]:
    """Return x after a step, the root mean square error of each image, and the last x0."""

    def slope(x: Tensor, share: float) -> tuple[Tensor, Tensor]:
        at = x.new_tensor([s + share * (to - s) for s, to in spans])
        x0 = denoise(x, at)
        return (x - x0) / per_image(at, x), x0

    h = per_image(x.new_tensor([to - s for s, to in spans]), x)
    first, _ = slope(x, 0)
    second, _ = slope(x + h * first / 2, 1 / 2)
    third, x0 = slope(x + h * second * (3 / 4), 3 / 4)
    x_to = x + h * (2 * first + 3 * second + 4 * third) / 9
    error = h * (2 * first - 6 * second + 4 * third) / 9
    # Image by image: how a sum over one row is rounded may depend on the number of rows.
    norms: list[float] = torch.stack([row.norm() for row in error]).tolist()
    return x_to, [norm / math.sqrt(x[0].numel()) for norm in norms], x0
