"""The sigmas of the runs that the checks make."""

import pytest

from latelier.contracts.sigma_grid import SigmaGrid

SIGMAS = {
    "ve": SigmaGrid((80.0, 24.4, 5.84, 0.966, 0.0853, 0.002, 0.0), "ve"),
    "flow": SigmaGrid((0.99, 0.9, 0.75, 0.55, 0.35, 0.15, 0.0), "flow"),
    "pure_noise": SigmaGrid((1.0, 0.9, 0.75, 0.55, 0.35, 0.15, 0.0), "flow"),
    "not_to_zero": SigmaGrid((157.0, 21.9, 6.2, 2.2, 0.79, 0.24, 0.0413), "ve"),
}
"""Runs in both frames; from pure noise, where models of zero terminal SNR start; and to a sigma
above 0, where the runs of Rombach et al. (arXiv:2112.10752) end."""

every_run = pytest.mark.parametrize("sigmas", SIGMAS.values(), ids=SIGMAS)
