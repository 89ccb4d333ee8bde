"""95 % confidence intervals of the expected value of a figure, over sets of as many pictures."""

from collections.abc import Callable, Sequence
from math import sqrt
from statistics import fmean, stdev

import torch
from torch import Tensor

from latelier.metrics.wilson import NORMAL_QUANTILE

_RESAMPLES, _SEED = 1000, 0


def bootstrap_interval(
    columns: Tensor, statistic: Callable[[Tensor], Tensor]
) -> tuple[float, float]:
    """Return the percentile interval of a function of means (doi:10.1214/aos/1176344552).

    Pictures are drawn with replacement, so numbers of one picture stay together. It suits means and
    their ratios, which are hardly biased; it does not suit Frechet distances, which grow when
    pictures repeat: see `jackknife_interval`.

    Args:
        columns: (N, C), numbers of N pictures.
        statistic: of means (R, C), a value for each row, (R,).
    """
    generator = torch.Generator().manual_seed(_SEED)
    count, values = len(columns), columns.double()
    means = torch.empty(_RESAMPLES, values.shape[1], dtype=torch.float64)
    for k in range(_RESAMPLES):
        drawn = torch.randint(count, (count,), generator=generator)
        means[k] = torch.bincount(drawn, minlength=count).double() @ values / count
    ends = torch.nanquantile(statistic(means), torch.tensor([0.025, 0.975]).double())
    return float(ends[0]), float(ends[1])


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the interval of the mean of two or more independent values (Student 1908)."""
    half = student_quantile(len(values) - 1) * stdev(values) / sqrt(len(values))
    mean = fmean(values)
    return mean - half, mean + half


def jackknife_interval(value: float, left_out: Sequence[float]) -> tuple[float, float]:
    """Return the interval of a value by those without one group of pictures each.

    The delete-a-group jackknife (Shao and Wu 1989, doi:10.1214/aos/1176347263). It suits Frechet
    distances: no picture repeats, and their bias, nearly that of all pictures in each of the
    values, has no effect on how much these differ. The interval is about the value, bias included.

    Args:
        value: of all pictures.
        left_out: without each of two or more groups of about one size.
    """
    groups = len(left_out)
    error = (groups - 1) / sqrt(groups) * stdev(left_out)
    half = student_quantile(groups - 1) * error
    return value - half, value + half


def student_quantile(freedom: int) -> float:
    """Return the two-sided 95 % quantile of Student's t, to 1e-3 from 5 degrees of freedom.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    z, n = NORMAL_QUANTILE, freedom
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * n**4)
    )
