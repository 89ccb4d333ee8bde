"""Rectified flow (Liu et al., arXiv:2209.03003; Esser et al., arXiv:2403.03206)."""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts.frames import FrameOfReference
from latelier.diffusion.processes.prediction import PredictionType
from latelier.diffusion.processes.process import MAX_TRAINING_STEPS, Process


class RectifiedFlow(Process):
    """x = (1 - sigma) * x0 + sigma * eps, sigma in [0, 1]; t = sigma * steps."""

    kind: Literal["rectified_flow"] = "rectified_flow"
    prediction: PredictionType = "flow"
    steps: int = Field(1000, ge=2, le=MAX_TRAINING_STEPS, description="factor from sigma to t")

    @property
    def training_steps(self) -> int:  # type: ignore[override]
        """Number of training steps that t counts."""
        return self.steps

    @property
    def frame(self) -> FrameOfReference:
        """The 'flow' frame."""
        return "flow"

    @property
    def sigma_min(self) -> float:
        """The sigma of one training step."""
        return 1 / self.steps

    @property
    def sigma_max(self) -> float:
        """1: pure noise."""
        return 1.0

    def timestep(self, sigma: float | Tensor) -> Tensor:
        """Return sigma * steps."""
        return (torch.as_tensor(sigma, dtype=torch.float64) * self.steps).float()

    def sigma(self, t: float) -> float:
        """Return t / steps."""
        return t / self.steps

    def input_scale(self, sigma: float | Tensor) -> float | Tensor:  # noqa: ARG002
        """Return 1, since the model sees x itself."""
        return 1.0

    def initial(self, noise: Tensor, sigma: float) -> Tensor:
        """Return noise of the variance that x has at `sigma` for unit-variance latents."""
        return noise * math.hypot(1 - sigma, sigma)
