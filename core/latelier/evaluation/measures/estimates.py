"""Estimates of what was recorded of pictures: the fields of a figure that are computed."""

from typing import TypedDict

import torch
from torch import Tensor

from latelier.metrics.intervals import bootstrap_interval
from latelier.metrics.wilson import wilson_interval


class Estimate(TypedDict):
    """A value and its 95 % interval: keywords of `Figure`."""

    value: float
    low: float
    high: float


def mean(numbers: Tensor) -> Estimate:
    """Estimate the mean of a number of each picture, (N,)."""
    low, high = bootstrap_interval(numbers[:, None], lambda means: means[:, 0])
    return Estimate(value=float(numbers.double().mean()), low=low, high=high)


def share(outcomes: Tensor) -> Estimate:
    """Estimate the share of pictures, bool (N,), of which something is true."""
    successes = int(outcomes.sum())
    low, high = wilson_interval(successes, len(outcomes))
    return Estimate(value=successes / len(outcomes), low=low, high=high)


def ratio(parts: Tensor, wholes: Tensor) -> Estimate:
    """Estimate the ratio of the sums of two numbers of each picture, (N,) each."""
    columns = torch.stack([parts, wholes], 1)
    low, high = bootstrap_interval(columns, lambda means: means[:, 0] / means[:, 1])
    value = float(parts.double().sum() / wholes.double().sum())
    return Estimate(value=value, low=low, high=high)
