import mpmath
import numpy as np
import pytest

from latelier_samplers.schedules.beta_quantile import beta_quantile

SHARES = np.linspace(0, 1, 21)


def test_quantiles_of_the_arcsine_distribution():
    expected = np.sin(np.pi * SHARES / 2) ** 2
    np.testing.assert_allclose(beta_quantile(SHARES, 0.5, 0.5), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("b", [0.3, 1.0, 6.0])
def test_quantiles_of_power_distributions(b):
    np.testing.assert_allclose(beta_quantile(SHARES, 1.0, b), 1 - (1 - SHARES) ** (1 / b), 1e-12)
    np.testing.assert_allclose(beta_quantile(SHARES, b, 1.0), SHARES ** (1 / b), 1e-12)


@pytest.mark.parametrize(("a", "b"), [(0.6, 0.6), (0.05, 20.0), (3.0, 7.0), (20.0, 20.0)])
def test_quantiles_invert_the_incomplete_beta_function(a, b):
    below = [
        float(mpmath.betainc(a, b, 0, x, regularized=True)) for x in beta_quantile(SHARES, a, b)
    ]
    np.testing.assert_allclose(below, SHARES, rtol=1e-12, atol=1e-14)
