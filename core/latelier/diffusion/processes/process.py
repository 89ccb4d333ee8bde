"""The base of noise processes: what sigma and t mean to a model, and how its output becomes x0.

A process is a frozen value. Samplers work on x = alpha(sigma) * x0 + sigma * eps in the frame
that the process picks (see `frames`); the process alone knows the scale that its model sees.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.frames import FrameOfReference
from latelier.contracts.frozen import Frozen
from latelier.diffusion.processes.prediction import PredictionType, prediction_target, to_x0

MAX_TRAINING_STEPS = 100_000
"""Most training steps of a process; published models have 1000, some 4000."""


class Process(Frozen, ABC):
    """Base of the processes.

    sigma is a float or a tensor (B,), the standard deviation of the noise in x, in the frame.

    Attributes:
        kind: the name under which manifests store the process.
        prediction: the meaning of the denoiser's output.
    """

    kind: str
    prediction: PredictionType = Field(description="the meaning of the denoiser's output")

    training_steps: ClassVar[int | None] = None
    """Number of discrete training steps, or None for a process without them."""

    @property
    @abstractmethod
    def frame(self) -> FrameOfReference:
        """The frame of x and sigma."""

    if TYPE_CHECKING:
        # Not at run time: pydantic refuses a field, as EDM has, that hides a property of its base.
        @property
        def sigma_min(self) -> float:
            """The least sigma that the model was trained on."""
            raise NotImplementedError

        @property
        def sigma_max(self) -> float:
            """The greatest sigma that the model was trained on; never infinite."""
            raise NotImplementedError

    @abstractmethod
    def timestep(self, sigma: float | Tensor) -> Tensor:
        """Return t float32, () or (B,), as the denoiser takes it."""

    @abstractmethod
    def sigma(self, t: float) -> float:
        """Return the sigma of a timestep: the inverse of `timestep`."""

    @abstractmethod
    def input_scale(self, sigma: float | Tensor) -> float | Tensor:
        """Return the factor that brings x to the scale that the model sees."""

    def initial(self, noise: Tensor, sigma: float) -> Tensor:
        """Return the first x for unit-variance `noise` (B, C, h, w).

        It is scaled so that the model's input equals the noise. (Plain sigma * noise costs an error
        of 3e-3 with the paper's schedule.)
        """
        return noise / self.input_scale(sigma)

    def finish(self, x: Tensor, sigma: float) -> Tensor:
        """Return the last x on the scale of the model's input; at sigma 0 that is x itself."""
        return x * self.input_scale(sigma)

    def noised(self, x0: Tensor, eps: Tensor, sigma: float | Tensor) -> Tensor:
        """Return x at `sigma` for x0 and unit-variance noise, both (B, C, h, w)."""
        s = frames.per_image(sigma, x0)
        return frames.alpha(self.frame, s) * x0 + s * eps

    def target(self, x0: Tensor, eps: Tensor, sigma: float | Tensor) -> Tensor:
        """Return the training target of the denoiser at `noised(x0, eps, sigma)`, (B, C, h, w)."""
        s = frames.per_image(sigma, x0)
        return prediction_target(self.prediction, x0, eps, frames.alpha(self.frame, s), s)

    def denoised(self, output: Tensor, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Return x0 given the denoiser's output for x at `sigma`, (B, C, h, w)."""
        s = frames.per_image(sigma, x)
        return to_x0(self.prediction, output, x, frames.alpha(self.frame, s), s)
