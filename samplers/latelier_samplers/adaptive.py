"""Adaptive step size per image (Bogacki-Shampine 3(2))."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.frames import per_image
from latelier.contracts.sampling import Denoise, Step
from latelier.contracts.sigma_grid import SigmaGrid

_MIN_SHARE = 1e-3
"""Length of the shortest step, as a share of its sigma."""

_NEGLIGIBLE = 0.1
"""Share of the tolerance; at a sigma below it, the rest of the noise is left to one step."""


def adaptive(
    denoise: Denoise,
    x: Tensor,
    sigmas: SigmaGrid,
    /,
    *,
    tolerance: Annotated[
        float,
        Field(
            ge=1e-6,
            le=1e4,
            description="exactness: the error of a step, as a share of the root mean square of x",
        ),
    ] = 0.005,
) -> Iterator[Step]:
    """Yield a step for each pair of sigmas, for which `denoise` is called as often as it needs.

    Each image has its own steps, of three calls each: Ralston's third-order method on
    dx/dsigma = (x - x0) / sigma and the midpoint rule within it, whose difference is the error (the
    pair of Bogacki and Shampine, 1989, without its call at the end of a step, so that steps to
    sigma 0 are controlled like all others). A step that errs by more than `tolerance` is repeated,
    shorter. So the spacing of the sigmas matters little: 'karras' with few steps is enough.

    `denoise` sees the whole batch, with a sigma for each image; an image that has reached
    sigma_next waits there for the slowest, and is not changed by the others.

    The error of a model need not shrink with sigma, and a step that is a share of sigma never
    reaches 0. So no step is shorter than 0.001 of its sigma, and at a sigma below a tenth of the
    tolerance, where less noise is left than is tolerated, one step goes to sigma_next.
    """
    images = [_Progress(sigmas[0]) for _ in x]
    for index, sigma_next in enumerate(sigmas[1:]):
        denoised = x
        while any(image.sigma > sigma_next for image in images):
            spans = [image.plan(sigma_next, _NEGLIGIBLE * tolerance) for image in images]
            x_next, errors, x0 = _ralston(denoise, x, spans)
            accepted = []
            for image, (_, target), error in zip(images, spans, errors):
                allowed = tolerance * math.hypot(sigmas.alpha(target), target)
                moves = image.sigma > sigma_next and image.advance(target, error / allowed)
                accepted.append(moves)
            mask = torch.tensor(accepted, device=x.device).view(-1, *[1] * (x.ndim - 1))
            x, denoised = torch.where(mask, x_next, x), torch.where(mask, x0, denoised)
        yield Step(index, sigma_next, x, denoised)


@dataclass
class _Progress:
    """How far down an image is, and how long its next step is.

    Attributes:
        sigma: where the image is.
        share: length of its next step, as a share of sigma.
        sigma_before: where its last step began: while it waits, the model is called there.
        is_last: whether the next step has to be accepted, whatever its error.
    """

    sigma: float
    share: float = 0.1
    sigma_before: float = math.inf
    is_last: bool = False

    def plan(self, end: float, negligible: float) -> tuple[float, float]:
        """Return the sigmas of the next step, or the same sigma twice for an image at `end`."""
        if self.sigma <= end:
            return self.sigma_before, self.sigma_before
        self.sigma_before = self.sigma
        self.is_last = self.sigma <= negligible
        return self.sigma, end if self.is_last else max(self.sigma * (1 - self.share), end)

    def advance(self, target: float, error: float) -> bool:
        """Go to `target` if the step is accepted, and choose the length of the next one.

        The error of a step is of third order and in units of what is allowed, so up to 1 is
        accepted. An error that is not a number is accepted too: shorter steps do not change it.
        """
        share = 1 - target / self.sigma
        is_accepted = self.is_last or self.share <= _MIN_SHARE or not error > 1
        factor = min(max(0.9 * error ** (-1 / 3), 0.2), 5.0) if error > 0 else 5.0
        longest = self.share if is_accepted else 0.0  # the end may have cut the step short
        self.share = min(max(share * factor, longest, _MIN_SHARE), 1.0)
        if is_accepted:
            self.sigma = target
        return is_accepted


def _ralston(
    denoise: Denoise, x: Tensor, spans: Sequence[tuple[float, float]]
) -> tuple[Tensor, list[float], Tensor]:
    """Return x after a step, the root mean square error of each image, and the last x0."""

    def slope(x: Tensor, share: float) -> tuple[Tensor, Tensor]:
        sigma = x.new_tensor([start + share * (end - start) for start, end in spans])
        x0 = denoise(x, sigma)
        return (x - x0) / per_image(sigma, x), x0

    h = per_image(x.new_tensor([end - start for start, end in spans]), x)
    first, _ = slope(x, 0)
    second, _ = slope(x + h * first / 2, 1 / 2)
    third, x0 = slope(x + h * second * (3 / 4), 3 / 4)
    x_next = x + h * (2 * first + 3 * second + 4 * third) / 9
    error = h * (2 * first - 6 * second + 4 * third) / 9
    # Image by image: how a sum over one row is rounded may depend on the number of rows.
    norms: list[float] = torch.stack([row.norm() for row in error]).tolist()
    return x_next, [norm / math.sqrt(x[0].numel()) for norm in norms], x0
