"""Weights of exponential integrators."""

import math
from collections.abc import Sequence

import numpy as np


def exponential_weights(h: float, nodes: Sequence[float]) -> list[float]:
    """Return the weights of estimates at `nodes` in a step, relative to the one at its start.

    A step from r = 0 to 1 integrates h * exp(-(1 - r) * h) times the polynomial through the
    estimates f_0 at r = 0 and f_j at the nodes r_j: (1 - exp(-h)) * f_0 + sum_j w_j (f_j - f_0).
    The w_j solve the equations that this is exact for powers of r (Zhao et al., arXiv:2302.04867):
    sum_j w_j r_j^k = h * integral of exp(-(1 - r) * h) r^k over [0, 1], k = 1 ... number of nodes.

    With h the change of log(alpha / sigma) and f the estimates of x0, alpha_next times the sum is
    their part in the next x. With -h and estimates of eps, sigma_next times the sum is theirs.
    """
    if not nodes:
        return []
    moment, moments = -math.expm1(-h), []
    for k in range(1, len(nodes) + 1):
        moment = 1 - k / h * moment  # by parts
        moments.append(moment)
    if len(nodes) == 1:
        return [moments[0] / nodes[0]]
    powers = np.vander(nodes, len(nodes) + 1, increasing=True)[:, 1:].T
    return np.linalg.solve(powers, moments).tolist()
