"""Weights of noise levels, for the squared error of the network's output.

A published weight w is for the squared error of x0. The network's output has an error that is
`output_ratio` times as large, so its squared error has the weight w / output_ratio^2.
"""

import torch
from torch import Tensor

from latelier.diffusion.processes.process import Process
from latelier.training.configs.loss import (
    EdmWeight,
    MinSnrWeight,
    UniformWeight,
    VelocityWeight,
    WeightConfig,
)
from latelier.training.prediction.levels import to_level
from latelier.training.prediction.targets import error_ratio, output_ratio


def weigh_levels(weight: WeightConfig, process: Process, sigma: Tensor) -> Tensor:
    """Return the weight of the squared error of the network's output at each sigma (B,)."""
    if isinstance(weight, UniformWeight) and weight.space is None:
        return torch.ones_like(sigma)
    return weigh_x0(weight, to_level(sigma, process)) / output_ratio(process, sigma).square()


def weigh_x0(weight: WeightConfig, level: Tensor) -> Tensor:
    """Return the weight of the squared error of x0 at each noise level (B,)."""
    match weight:
        case UniformWeight(space=space):
            return error_ratio(space or "x0", level).square()
        case MinSnrWeight(gamma=gamma):
            return _snr(level).clamp(max=gamma)
        case EdmWeight(sigma_data=d):
            # 1 / d^2 + 1 / s^2, s = sigma / alpha
            return _snr(level) + d**-2
        case VelocityWeight(clip=clip):
            return level.clamp(min=clip) ** -2


def _snr(level: Tensor) -> Tensor:
    """Return the signal-to-noise ratio (alpha / sigma)^2."""
    return ((1 - level) / level).square()
