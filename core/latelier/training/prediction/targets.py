"""The spaces in which a prediction's error is measured.

A prediction of any kind determines x0 at a given x = alpha * x0 + sigma * eps, and an error d of x0
is then an error of

eps   (alpha / sigma) * d
x0    d
v     (r / sigma) * d, r = sqrt(alpha^2 + sigma^2)
flow  ((alpha + sigma) / sigma) * d = d / level

with the opposite sign, but for x0. So the loss may be that of another prediction than the
network's: it is the network's own, times a weight of the noise level.
"""

import torch
from torch import Tensor

from latelier.contracts import frames
from latelier.diffusion.processes.prediction import PredictionType, prediction_target
from latelier.diffusion.processes.process import Process


def error_ratio(space: PredictionType, level: Tensor) -> Tensor:
    """Return the factor from the error of x0 to that of another prediction, positive (B,)."""
    alpha, sigma = 1 - level, level  # only their ratio counts
    x0 = torch.ones_like(level)
    return prediction_target(space, x0, -alpha / sigma * x0, alpha, sigma).abs()


def output_ratio(process: Process, sigma: Tensor) -> Tensor:
    """Return the factor from the error of x0 to that of the network's output, positive (B,).

    Targets are linear: this is the change of the target for a change of x0 by 1 at the same x.
    """
    x0 = torch.ones_like(sigma)
    eps = -frames.alpha(process.frame, sigma) / sigma
    return process.target(x0, eps, sigma).abs()
