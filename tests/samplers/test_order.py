"""The orders of samplers with options that are not their defaults; those are the kit's to check.

The problems and the measurement of an order are the kit's too.
"""

from functools import partial

import pytest

from latelier.contracts.sigma_grid import SigmaGrid
from latelier.testing.support.problems import Gaussian, Mixture, Straight, even, logarithmic
from latelier.testing.support.problems import observed_orders as observed
from latelier_samplers.ddim_inversion import ddim_inversion
from latelier_samplers.deis import deis
from latelier_samplers.ipndm import ipndm
from latelier_samplers.lms import lms
from latelier_samplers.plms import plms
from latelier_samplers.unipc import unipc

FRAMES = ["ve", "flow"]


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize(
    ("sampler_", "order", "asymptotic_order"),
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
def test_options_keep_the_order(sampler_, order, asymptotic_order, frame):
    is_inversion = sampler_.func is ddim_inversion
    orders = observed(sampler_, Mixture(frame), logarithmic, is_inversion=is_inversion)
    assert orders[-1] == pytest.approx(order, abs=0.1)
    orders = observed(sampler_, Straight(frame), even, (320, 640), is_inversion=is_inversion)
    assert orders[-1] == pytest.approx(asymptotic_order, abs=0.25)


def test_plms_has_third_order_on_uniform_spacing():
    """That is its start; Adams-Bashforth alone would be of fourth."""
    orders = observed(plms, Gaussian("flow"), from_10_to_005, (80, 160, 320, 640, 1280))
    assert orders == pytest.approx([3] * 4, abs=0.2)


def from_10_to_005(frame, steps):
    assert frame == "flow"
    high, low = 10 / 11, 0.05 / 1.05
    return SigmaGrid([high + i / steps * (low - high) for i in range(steps + 1)], frame)
