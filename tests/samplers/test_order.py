"""Every sampler that draws no noise is of the order that it declares, on ODEs solved exactly.

All in float64 and between positive sigmas, in both frames. The global order is seen on a Gaussian
and on a mixture of Gaussians, whose ODE is not linear, with spacing even in log(sigma / alpha) and
so not in sigma. That of the main step is seen where the first steps make no error, because every
way begins straight; there sigma is spaced evenly, as Adams-Bashforth weights expect it.
"""

import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import pytest
import torch

from latelier.diffusion import frames
from latelier.diffusion.grid import Grid
from latelier_samplers.ddim_inversion import ddim_inversion
from latelier_samplers.deis import deis
from latelier_samplers.ipndm import ipndm
from latelier_samplers.lms import lms
from latelier_samplers.plms import plms
from latelier_samplers.unipc import unipc

FRAMES = ["ve", "flow"]
COUNTS = (160, 320)
GAUSSIAN = torch.tensor([[0.3, -0.5, 0.1, 0.8], [0.1, 0.4, 0.9, 1.3]], dtype=torch.float64)
MIXTURE = torch.tensor([[-1.2, 0.1, 1.5], [0.5, 0.3, 0.6], [0.3, 0.45, 0.25]], dtype=torch.float64)


@dataclass(frozen=True)
class Gaussian:
    """Independent normal numbers; z (B, 4) is standard normal."""

    frame: str
    z = torch.randn(16, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def denoise(self, x, sigma):
        a, (mean, std) = frames.alpha(self.frame, sigma), GAUSSIAN
        return mean + a * std**2 / (a**2 * std**2 + sigma**2) * (x - a * mean)

    def at(self, sigma):
        """Return x at `sigma` on the ways that belong to z."""
        a, (mean, std) = frames.alpha(self.frame, sigma), GAUSSIAN
        return a * mean + (a**2 * std**2 + sigma**2).sqrt() * self.z


@dataclass(frozen=True)
class Mixture:
    """A mixture of three normal numbers. A way in one dimension stays at its quantile."""

    frame: str
    z = torch.linspace(-2.5, 2.5, 21, dtype=torch.float64)[:, None]

    def parts(self, sigma):
        a, (mean, std, _) = frames.alpha(self.frame, sigma), MIXTURE
        return a, a * mean, a**2 * std**2 + sigma**2

    def denoise(self, x, sigma):
        a, centre, variance = self.parts(sigma)
        mean, std, weight = MIXTURE
        off = x[..., None] - centre
        share = torch.softmax((weight / variance.sqrt()).log() - off**2 / (2 * variance), -1)
        return (share * (mean + a * std**2 / variance * off)).sum(-1)

    def at(self, sigma):
        """Return x at `sigma` at the quantiles that z has in a standard normal, by bisection."""
        _, centre, variance = self.parts(sigma)
        low, high = torch.full_like(self.z, -50), torch.full_like(self.z, 50)
        for _ in range(64):
            x = (low + high) / 2
            cdf = (MIXTURE[2] * torch.special.ndtr((x[..., None] - centre) / variance.sqrt())).sum(
                -1
            )
            below = cdf < torch.special.ndtr(self.z)
            low, high = torch.where(below, x, low), torch.where(below, high, x)
        return (low + high) / 2


@dataclass(frozen=True)
class Straight:
    """x = (1 + sigma + bend^6 / 2) * z, bend = 0 above a sigma: all methods are exact there."""

    frame: str
    z = torch.tensor([[-1.5, 0.3, 1.0]], dtype=torch.float64)

    def bend(self, sigma):
        start, width = (2.2, 1.5) if self.frame == "ve" else (0.7, 0.5)
        return max(start - sigma, 0) / width, -1 / width

    def denoise(self, x, sigma):
        bend, d_bend = self.bend(sigma)
        return x - sigma * x * (1 + 3 * bend**5 * d_bend) / (1 + sigma + bend**6 / 2)

    def at(self, sigma):
        return (1 + sigma + self.bend(sigma)[0] ** 6 / 2) * self.z


def logarithmic(frame, steps):
    ratios = [1.2 * (0.1 / 1.2) ** (i / steps) for i in range(steps + 1)]
    return Grid(ratios if frame == "ve" else [r / (1 + r) for r in ratios], frame)


def even(frame, steps):
    high, low = (3.0, 0.8) if frame == "ve" else (0.9, 0.2)
    return Grid([high + i / steps * (low - high) for i in range(steps + 1)], frame)


def observed(sampler_, problem, spacing, counts=COUNTS, inverts=False):
    """Return the base-2 logarithms of the quotients of the errors for `counts` steps."""
    errors = []
    for steps in counts:
        grid = spacing(problem.frame, steps)
        first, last = (grid.sigmas[-1], grid.sigmas[0]) if inverts else grid.sigmas[:: grid.steps]
        *_, step = sampler_(problem.denoise, problem.at(first), grid, noise=None)
        assert step.x.dtype == torch.float64
        errors.append((step.x - problem.at(last)).norm())
    return [math.log2(a / b) for a, b in pairwise(errors)]


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("problem", [Gaussian, Mixture])
def test_global_order(sampler, ordered, problem, frame):
    orders = observed(sampler, problem(frame), logarithmic, inverts=ordered.inverts)
    assert orders[-1] == pytest.approx(ordered.order, abs=0.1)


@pytest.mark.parametrize("frame", FRAMES)
def test_order_of_the_main_step(sampler, ordered, frame):
    orders = observed(sampler, Straight(frame), even, inverts=ordered.inverts)
    assert orders[-1] == pytest.approx(ordered.main_order or ordered.order, abs=0.15)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize(
    ("sampler_", "order", "main_order"),
    [
        (partial(lms, order=1), 1, 1),
        (partial(lms, order=2), 2, 2),
        (partial(lms, order=3), 2, 3),
        (partial(ipndm, order=1), 1, 1),
        (partial(ipndm, order=2), 2, 2),
        (partial(ipndm, order=3), 2, 3),
        (partial(deis, order=1), 1, 1),
        (partial(deis, order=3), 2, 3),
        (partial(unipc, order=1), 2, 2),
        (partial(unipc, order=3), 3, 4),
        (partial(unipc, order=1, variant="bh1"), 2, 2),
        (partial(unipc, order=2, variant="bh1"), 3, 3),
        (partial(unipc, order=3, variant="bh1"), 3, 4),
        (partial(ddim_inversion, refinements=2), 1, 1),
    ],
)
def test_orders_with_other_options(sampler_, order, main_order, frame):
    inverts = sampler_.func is ddim_inversion
    orders = observed(sampler_, Mixture(frame), logarithmic, inverts=inverts)
    assert orders[-1] == pytest.approx(order, abs=0.1)
    orders = observed(sampler_, Straight(frame), even, (320, 640), inverts=inverts)
    assert orders[-1] == pytest.approx(main_order, abs=0.25)


def test_plms_is_of_third_order_on_even_spacing():
    """That is its start; Adams-Bashforth alone would be of fourth."""
    orders = observed(plms, Gaussian("flow"), from_10_to_005, (80, 160, 320, 640, 1280))
    assert orders == pytest.approx([3] * 4, abs=0.2)


def from_10_to_005(frame, steps):
    assert frame == "flow"
    high, low = 10 / 11, 0.05 / 1.05
    return Grid([high + i / steps * (low - high) for i in range(steps + 1)], frame)
