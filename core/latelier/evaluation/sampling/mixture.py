"""A mixture of Gaussians, whose exact denoiser is known."""

from collections.abc import Sequence

import torch
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.frames import FrameOfReference
from latelier.contracts.sampling import Denoise
from latelier.diffusion.processes.process import Process
from latelier.evaluation.sampling.problem import Problem

_MODES = 8
_STD = 0.05


def make_mixture(
    process: Process, seeds: Sequence[int], dimensions: int = 16, modes: int = _MODES
) -> Problem:
    """Return the problem of sampling narrow modes at random places, in float64.

    The modes have a standard deviation of 0.05 about means of unit variance. As with pictures, the
    data fill little of their space, and the paths of x are straight at first and bend where they
    choose a mode.
    """
    generator = torch.Generator().manual_seed(0)
    means = torch.randn(modes, dimensions, dtype=torch.float64, generator=generator)
    denoise = make_exact_denoise(means, _STD, process.frame)
    return Problem("mixture", process, denoise, seeds, (dimensions,), torch.float64)


def make_exact_denoise(means: Tensor, std: float, frame: FrameOfReference) -> Denoise:
    """Return the `denoise` E[x0 | x] for equally likely normal modes with means (K, D).

    Given its mode k, x0 is normal with mean mu_k + g (x - alpha mu_k), where
    g = alpha std^2 / (alpha^2 std^2 + sigma^2); k has the weight exp(-|x - alpha mu_k|^2 /
    (2 (alpha^2 std^2 + sigma^2))).
    """

    def denoise(x: Tensor, sigma: float | Tensor, /) -> Tensor:
        s = frames.per_image(sigma, x)
        a = frames.alpha(frame, s)
        variance = a**2 * std**2 + s**2
        away = x[:, None] - (a[..., None] if isinstance(a, Tensor) else a) * means  # (B, K, D)
        weights = (away.square().sum(-1) / (-2 * variance)).softmax(dim=1)
        mode = weights @ means
        return mode + a * std**2 / variance * (x - a * mode)

    return denoise
