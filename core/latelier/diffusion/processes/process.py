"""Noise processes: what sigma and t mean to a model, and how its output becomes x0.

A process is a frozen value. Samplers work on x = alpha(sigma) * x0 + sigma * eps in the frame
that the process picks (see `frames`); the process alone knows the scale that its model sees.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.frames import FrameOfReference
from latelier.contracts.frozen import Frozen
from latelier.diffusion.processes.prediction import PredictionType, prediction_target, to_x0


class Process(Frozen, ABC):
    """Base of the processes. sigma: a float or a tensor (B,), in units of x, in the frame."""

    kind: str
    prediction: PredictionType = Field(description="what the denoiser's output means")

    training_steps: ClassVar[int | None] = None
    """Number of discrete training steps, or None for a process without them."""

    @property
    @abstractmethod
    def frame(self) -> FrameOfReference:
        """The frame of x and sigma."""

    @property
    @abstractmethod
    def sigma_min(self) -> float:
        """The least sigma that the model was trained on."""

    @property
    @abstractmethod
    def sigma_max(self) -> float:
        """The greatest sigma that the model was trained on; never infinite."""

    @abstractmethod
    def timestep(self, sigma: float | Tensor) -> Tensor:
        """Return t float32, () or (B,), as the denoiser takes it."""

    @abstractmethod
    def sigma(self, t: float) -> float:
        """Return the sigma of a timestep: the inverse of `timestep`."""

    @abstractmethod
    def sigma_from_uniform(self, u: Tensor) -> Tensor:
        """Return the sigmas (B,) float64 that uniform numbers `u` (B,) in [0, 1) stand for.

        This is the distribution of noise levels that the process is trained on.
        """

    @abstractmethod
    def input_scale(self, sigma: float | Tensor) -> float | Tensor:
        """Return the factor that brings x to the scale that the model sees."""

    def initial(self, noise: Tensor, sigma: float) -> Tensor:
        """Return the first state for unit-variance `noise` (B, C, h, w): what the model sees is it.

        Leaving the scale out costs 3e-3 with the paper's schedule.
        """
        return noise / self.input_scale(sigma)

    def finish(self, x: Tensor, sigma: float) -> Tensor:
        """Return the last state on the model's own scale (x itself at sigma 0)."""
        return x * self.input_scale(sigma)

    def noised(self, x0: Tensor, eps: Tensor, sigma: float | Tensor) -> Tensor:
        """Return x at `sigma` for x0 and unit-variance noise, both (B, C, h, w)."""
        s = frames.per_image(sigma, x0)
        return frames.alpha(self.frame, s) * x0 + s * eps

    def target(self, x0: Tensor, eps: Tensor, sigma: float | Tensor) -> Tensor:
        """Return what the denoiser should say of `noised(x0, eps, sigma)`, (B, C, h, w)."""
        s = frames.per_image(sigma, x0)
        return prediction_target(self.prediction, x0, eps, frames.alpha(self.frame, s), s)

    def denoised(self, output: Tensor, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Return x0 given the denoiser's output for x at `sigma`, (B, C, h, w)."""
        s = frames.per_image(sigma, x)
        return to_x0(self.prediction, output, x, frames.alpha(self.frame, s), s)


def normal_quantile(u: Tensor) -> Tensor:
    """Return standard normal numbers for uniform `u` in [0, 1)."""
    normal: Tensor = torch.special.ndtri(u.double().clamp(1e-6, 1 - 1e-6))
    return normal
