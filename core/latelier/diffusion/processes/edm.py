"""The process of Karras et al. 2022 (arXiv:2206.00364), Table 1, column "Ours"."""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.frames import FrameOfReference
from latelier.diffusion.processes.process import Process


class EDM(Process):
    """x = x0 + sigma * eps, preconditioned: the network's input and target have unit variance.

    x0 = D(x) = c_skip * x + c_out * F(c_in * x, c_noise) for the network F. With sigma_data 1, F is
    a v-prediction of opposite sign, and `prediction` calls it one.
    """

    kind: Literal["edm"] = "edm"
    prediction: Literal["v"] = Field("v", description="fixed by the preconditioning")
    sigma_data: float = Field(0.5, gt=0, description="standard deviation of the data (or latents)")
    # fields here, properties of the other processes
    sigma_min: float = Field(  # pyright: ignore[reportIncompatibleMethodOverride]
        0.002, gt=0, description="the least sigma in training"
    )
    sigma_max: float = Field(  # pyright: ignore[reportIncompatibleMethodOverride]
        80.0, gt=0, description="the greatest sigma in training"
    )

    @property
    def frame(self) -> FrameOfReference:
        """The 've' frame."""
        return "ve"

    def timestep(self, sigma: float | Tensor) -> Tensor:
        """Return c_noise = log(sigma) / 4."""
        return (torch.as_tensor(sigma, dtype=torch.float64).log() / 4).float()

    def sigma(self, t: float) -> float:
        """Return exp(4 t)."""
        return math.exp(4 * t)

    def input_scale(self, sigma: float | Tensor) -> float | Tensor:
        """Return c_in."""
        return (sigma**2 + self.sigma_data**2) ** -0.5

    def initial(self, noise: Tensor, sigma: float) -> Tensor:
        """Return sigma * noise (arXiv:2206.00364, Algorithm 1)."""
        return noise * sigma

    def finish(self, x: Tensor, sigma: float) -> Tensor:  # noqa: ARG002
        """Return x, which the model sees on the scale of the data."""
        return x

    def target(self, x0: Tensor, eps: Tensor, sigma: float | Tensor) -> Tensor:
        """Return the target of F: (x0 - c_skip * x) / c_out."""
        s = frames.per_image(sigma, x0)
        c_skip, c_out = self._c_skip_and_c_out(s)
        return (x0 - c_skip * (x0 + s * eps)) / c_out

    def denoised(self, output: Tensor, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Return D(x) = c_skip * x + c_out * output."""
        c_skip, c_out = self._c_skip_and_c_out(frames.per_image(sigma, x))
        return c_skip * x + c_out * output

    def _c_skip_and_c_out(self, s: float | Tensor) -> tuple[float | Tensor, float | Tensor]:
        variance = s**2 + self.sigma_data**2
        return self.sigma_data**2 / variance, s * self.sigma_data / variance**0.5
