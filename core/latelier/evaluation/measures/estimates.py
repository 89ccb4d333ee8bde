"""Estimates of what was recorded of pictures: the fields of a figure that are computed."""

from typing import TypedDict

import torch
from torch import Tensor

from latelier.metrics.intervals import bootstrap_interval
from latelier.metrics.wilson import wilson_interval


class Estimate(TypedDict):
    """A value, its 95 % interval, and of how many it is: keywords of `Figure`."""

    value: float
    low: float
    high: float
    count: int


def mean(numbers: Tensor) -> Estimate:
    """Estimate the mean of a number of each picture, (N,)."""
    low, high = bootstrap_interval(numbers[:, None], lambda means: means[:, 0])
    value = float(numbers.double().mean())
    return Estimate(value=value, low=low, high=high, count=len(numbers))


def share(outcomes: Tensor) -> Estimate:
    """Estimate the share of pictures, bool (N,), of which something is true."""
    successes = int(outcomes.sum())
    low, high = wilson_interval(successes, len(outcomes))
    count = len(outcomes)
    return Estimate(value=successes / count, low=low, high=high, count=count)


def ratio(parts: Tensor, wholes: Tensor) -> Estimate:
    """Estimate the ratio of the sums of two numbers of each picture, (N,) each.

    The second counts what the ratio is of, such as objects.
    """
    columns = torch.stack([parts, wholes], 1)
    low, high = bootstrap_interval(columns, lambda means: means[:, 0] / means[:, 1])
    value = float(parts.double().sum() / wholes.double().sum())
    return Estimate(value=value, low=low, high=high, count=int(wholes.sum()))
