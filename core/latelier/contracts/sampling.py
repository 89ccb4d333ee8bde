"""The contracts between components, as typed protocols.

Shapes: B images of a batch, C latent channels, h x w latent size, N tokens of width D.
Sigma is the noise's standard deviation in units of x.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.sigma_grid import SigmaGrid

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a sampler: `x` at `sigma` after step `index`, and the newest estimate of x0."""

    index: int
    sigma: float
    x: "Tensor"
    denoised: "Tensor"


class Denoise(Protocol):
    """The whole of what a sampler knows of a model."""

    def __call__(self, x: "Tensor", sigma: "float | Tensor", /) -> "Tensor":
        """Return the estimate of x0, (B, C, h, w), of `x` at `sigma` (a float or (B,), above 0)."""
        ...


class Noise(Protocol):
    """Where samplers get their noise from: each image's own generator."""

    def __call__(self, sigma_from: float, sigma_to: float, /) -> "Tensor":
        """Return unit-variance float32 noise (B, C, h, w) for the step between two sigmas."""
        ...


class Sampler(Protocol):
    """A generator function; further keyword arguments are its options."""

    def __call__(
        self, denoise: Denoise, x: "Tensor", grid: SigmaGrid, /, *, noise: Noise, **options: Any
    ) -> Iterator[Step]:
        """Yield a `Step` after each step from x at grid.sigmas[0] to the last sigma."""
        ...


class Schedule(Protocol):
    """Chooses the sigmas of a run; keyword arguments are its options."""

    def __call__(self, steps: int, process: Any, /, **options: Any) -> SigmaGrid:
        """Return a grid of `steps` steps for a noise process."""
        ...


class Predict(Protocol):
    """Evaluates several conditions of one x in as few denoiser calls as possible.

    Beside that it says what a guidance may have to know of the run.
    """

    @property
    def config(self) -> DenoiserConfig:
        """The denoiser's configuration."""
        ...

    def decoded(self, latents: "Tensor", /) -> "Tensor":
        """Return the whole images (B, 3, H, W) of latents, differentiably.

        Raises:
            CompatibilityError: the run has no first stage, or sees windows of a picture.
        """
        ...

    def told(self, value: Any, /) -> Condition:
        """Return the run's condition with another value of its first public input.

        Raises:
            InvalidInputError: that input cannot take it.
            CompatibilityError: there is no such input.
        """
        ...

    def __call__(
        self,
        x: "Tensor",
        sigma: "float | Tensor",
        conditions: Sequence[Condition],
        control: Control | None = None,
        /,
    ) -> "list[Tensor]":
        """Return one estimate of x0 for each condition."""
        ...


class Guidance(Protocol):
    """Makes a `denoise` out of conditions; built anew for each run, so it may hold run state."""

    def __call__(
        self,
        predict: Predict,
        condition: Condition,
        null: Condition,
        grid: SigmaGrid,
        /,
        **options: Any,
    ) -> Denoise:
        """Return the guided denoise. `null` holds the unconditional part of every conditioner."""
        ...
