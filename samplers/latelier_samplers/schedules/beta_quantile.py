"""Quantiles of the beta distribution."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_HALVINGS = 200


def beta_quantile(p: Floats, a: float, b: float) -> Floats:
    """Return x (N,) with a share p (N,) of the distribution Beta(a, b) below it.

    Found by bisection to the last bit; p in 0..1, a and b above 0.
    """
    median_side = _cumulative(np.array([0.5]), a, b)[0]
    lower = _lower_quantile(np.minimum(p, median_side), a, b)
    upper = 1 - _lower_quantile(np.minimum(1 - p, 1 - median_side), b, a)
    return np.where(p <= median_side, lower, upper)


def _lower_quantile(p: Floats, a: float, b: float) -> Floats:
    """Return the quantiles that are at most 1/2."""
    low, high = np.zeros_like(p), np.where(p > 0, 0.5, 0.0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if np.all((middle == low) | (middle == high)):
            break
        below = _cumulative(middle, a, b) < p
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return high


def _cumulative(x: Floats, a: float, b: float) -> Floats:
    """Return the share of Beta(a, b) below x (N,) in 0..1/2.

    That is x^a (1 - x)^b / (a B(a, b)) times the sum over n of x^n (a + b)_n / (a + 1)_n, where
    (.)_n is the rising factorial. All terms are positive, so nothing is lost to rounding.
    """
    log_scale = math.lgamma(a + b) - math.lgamma(a + 1) - math.lgamma(b)
    term, total, n = np.ones_like(x), np.ones_like(x), 0
    while np.any(term > total * 1e-17):
        term = term * x * ((a + b + n) / (a + 1 + n))
        total, n = total + term, n + 1
    scale: Floats = x**a * (1 - x) ** b * math.exp(log_scale)
    return scale * total
