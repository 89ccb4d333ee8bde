"""Noise levels: one measure of noise for every process.

A level is the share of noise sigma / (alpha + sigma), 0 for none and 1 for nothing else: the sigma
of the 'flow' frame. alpha / sigma = (1 - level) / level in either frame.
"""

from itertools import pairwise

import torch
from torch import Tensor

from latelier.contracts import frames
from latelier.diffusion.processes.process import Process

LEVEL_BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Edges of the bins of noise levels in reports."""


def to_level(sigma: Tensor, process: Process) -> Tensor:
    """Return the levels of sigmas in the frame of a process."""
    return sigma / (frames.alpha(process.frame, sigma) + sigma)


def to_sigma(level: Tensor, process: Process) -> Tensor:
    """Return sigmas in the frame of a process, within those that it is trained on."""
    sigma = level if process.frame == "flow" else level / (1 - level)
    return sigma.clamp(process.sigma_min, process.sigma_max)


def bin_levels(levels: Tensor) -> Tensor:
    """Return the index of each level's bin of `LEVEL_BINS`, int64 (B,)."""
    edges = torch.tensor(LEVEL_BINS[1:-1], dtype=levels.dtype, device=levels.device)
    return torch.bucketize(levels, edges, right=True)


def name_bins() -> list[str]:
    """Return the name of each bin, such as '0-0.2'."""
    return [f"{low:g}-{high:g}" for low, high in pairwise(LEVEL_BINS)]
