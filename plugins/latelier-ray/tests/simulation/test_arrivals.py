"""Arrivals have the rate that was asked for, and bursts come in bursts."""

from itertools import islice, pairwise
from random import Random
from statistics import fmean, pstdev

import pytest

from latelier_ray.simulation.arrivals import arrive_in_bursts, arrive_independently


def gaps(arrivals, rate, count=100_000):
    times = [0.0, *islice(arrivals(rate, Random(1)), count)]
    return [later - earlier for earlier, later in pairwise(times)]


@pytest.mark.parametrize("arrivals", [arrive_independently, arrive_in_bursts])
def test_the_mean_rate_is_that_which_was_asked_for(arrivals):
    assert fmean(gaps(arrivals, 4.0)) == pytest.approx(1 / 4, rel=0.06)


def test_bursts_vary_more_than_independent_arrivals():
    """The deviation of exponential gaps is their mean; in bursts it is larger."""
    independent, bursts = gaps(arrive_independently, 4.0), gaps(arrive_in_bursts, 4.0)
    assert pstdev(independent) / fmean(independent) == pytest.approx(1, rel=0.03)
    assert pstdev(bursts) / fmean(bursts) > 1.2
