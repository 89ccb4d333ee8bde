"""Densities of noise levels: sigmas of a process at the quantiles of a density."""

import math

import torch
from torch import Tensor

from latelier.contracts.errors import InvalidConfigError
from latelier.diffusion.processes.process import Process
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier.training.configs.noise import (
    LogitNormalNoise,
    LogNormalNoise,
    MixtureNoise,
    MixturePart,
    NoiseConfig,
    ShiftedNoise,
    StepsNoise,
    UniformNoise,
)
from latelier.training.prediction.levels import LEVEL_BINS, bin_levels, to_level, to_sigma
from latelier.training.randomness import Draws, Purpose

_GOLDEN = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio."""

_SHARE_SAMPLES = 20_000


def default_noise(process: Process) -> NoiseConfig:
    """Return the density for a process where a configuration names none.

    A rectified flow needs both ends: a logit-normal alone starves low noise. A 'vp' process is
    trained on its steps, an 'edm' process as its authors do.
    """
    if isinstance(process, RectifiedFlow):
        uniform, high = UniformNoise(), LogitNormalNoise(mean=1.2, std=1.0)
        parts = (MixturePart(weight=0.6, noise=uniform), MixturePart(weight=0.4, noise=high))
        return MixtureNoise(parts=parts)
    return StepsNoise() if isinstance(process, VP) else LogNormalNoise()


def check_noise(noise: NoiseConfig, process: Process) -> None:
    """Check that a process has the levels of a density.

    Raises:
        InvalidConfigError: the density is of discrete steps, which the process does not have.
    """
    if isinstance(noise, MixtureNoise):
        for part in noise.parts:
            check_noise(part.noise, process)
    elif isinstance(noise, ShiftedNoise):
        check_noise(noise.noise, process)
    elif isinstance(noise, StepsNoise) and not isinstance(process, VP):
        raise InvalidConfigError(
            f"noise: the kind 'steps' is for a 'vp' process, and this one is '{process.kind}'; "
            "use 'uniform' or 'logit_normal'"
        )


def draw_sigmas(noise: NoiseConfig, process: Process, draws: Draws, pixels: int) -> Tensor:
    """Return a sigma for each sample (B,), float64, for pictures of `pixels` latent pixels."""
    return sigmas_at(noise, stratified_uniform(draws), process, pixels)


def stratified_uniform(draws: Draws) -> Tensor:
    """Return uniform numbers in [0, 1), float64 (B,), that cover it evenly in every batch.

    They are a Weyl sequence over the positions, u = frac(position * golden ratio), which is turned
    by a random number of the step. Each is uniform by itself, and any interval holds nearly its
    share of the samples of a step: the loss varies less than with independent numbers. A number
    depends on (seed, step, position) alone.
    """
    turn = Draws(draws.seed, draws.step, [0]).uniform(Purpose.TIME)
    weyl = [(index * _GOLDEN % 2**64) / 2**64 for index in draws.indices]
    return (torch.tensor(weyl, dtype=torch.float64) + turn) % 1.0


def sigmas_at(noise: NoiseConfig, u: Tensor, process: Process, pixels: int) -> Tensor:
    """Return the sigmas (B,) at the quantiles `u` (B,) in [0, 1) of a density, float64.

    They lie within the sigmas of the process.
    """
    match noise:
        case UniformNoise():
            return _uniform(u, process)
        case LogitNormalNoise() | LogNormalNoise():
            # logit(level) = log(sigma / alpha)
            return to_sigma(torch.sigmoid(noise.mean + noise.std * _normal(u)), process)
        case StepsNoise():
            return _sigmas_of_steps(u, process)
        case ShiftedNoise():
            return _shift(noise, sigmas_at(noise.noise, u, process, pixels), process, pixels)
        case MixtureNoise():
            return _mix(noise, u, process, pixels)


def _uniform(u: Tensor, process: Process) -> Tensor:
    ends = torch.tensor([process.sigma_min, process.sigma_max], dtype=torch.float64)
    low, high = to_level(ends, process)
    return to_sigma(low + (high - low) * u, process)


def _normal(u: Tensor) -> Tensor:
    """Return standard normal numbers at quantiles; the outermost millionths are cut off."""
    normal: Tensor = torch.special.ndtri(u.clamp(1e-6, 1 - 1e-6))
    return normal


def _sigmas_of_steps(u: Tensor, process: Process) -> Tensor:
    """Return the sigmas of training steps drawn uniformly; their timesteps are whole numbers."""
    assert isinstance(process, VP)  # see `check_noise`
    steps = (u * process.steps).long().clamp(max=process.steps - 1)
    return torch.tensor(process.sigmas, dtype=torch.float64)[steps]


def _shift(noise: ShiftedNoise, sigmas: Tensor, process: Process, pixels: int) -> Tensor:
    """Multiply sigma / alpha by the factor: level' = f level / (1 + (f - 1) level)."""
    factor = noise.factor or math.sqrt(pixels / noise.base_pixels)
    level = to_level(sigmas, process)
    return to_sigma(factor * level / (1 + (factor - 1) * level), process)


def _mix(noise: MixtureNoise, u: Tensor, process: Process, pixels: int) -> Tensor:
    """Return sigmas of the part into whose share of [0, 1) each number falls.

    Within its share the number is uniform again, so one number chooses both part and level.
    """
    total = sum(part.weight for part in noise.parts)
    sigmas, start = torch.empty_like(u), 0.0
    for k, part in enumerate(noise.parts):
        share = part.weight / total
        inside = (u >= start) & ((u < start + share) | (k == len(noise.parts) - 1))
        within = ((u[inside] - start) / share).clamp(0, 1)
        sigmas[inside] = sigmas_at(part.noise, within, process, pixels)
        start += share
    return sigmas


def level_shares(noise: NoiseConfig, process: Process, pixels: int) -> list[float]:
    """Return the share of the samples in each of `LEVEL_BINS`, from evenly spaced quantiles."""
    u = (torch.arange(_SHARE_SAMPLES, dtype=torch.float64) + 0.5) / _SHARE_SAMPLES
    bins = bin_levels(to_level(sigmas_at(noise, u, process, pixels), process))
    counts = torch.bincount(bins, minlength=len(LEVEL_BINS) - 1)
    shares: list[float] = (counts / _SHARE_SAMPLES).tolist()
    return shares
