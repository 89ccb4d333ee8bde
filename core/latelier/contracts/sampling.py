"""The contracts between components, as typed protocols.

Shapes: B images of a batch, C latent channels, h x w latent size, N tokens of width D.
Sigma is the noise's standard deviation in units of x.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from latelier.contracts.components import Control, PictureGeometry
from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.errors import InvalidInputError
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
    """All that a sampler knows of a model."""

    def __call__(self, x: "Tensor", sigma: "float | Tensor", /) -> "Tensor":
        """Return the estimate of x0, (B, C, h, w) in the precision of x.

        Args:
            x: (B, C, h, w).
            sigma: its noise level, above 0: a float, or (B,) with one for each image.
        """
        ...


class Noise(Protocol):
    """The noise of a run: each image draws from its own generator."""

    def __call__(self, sigma_from: float, sigma_to: float, /) -> "Tensor":
        """Return unit-variance float32 noise (B, C, h, w) for the step between two sigmas."""
        ...


class Sampler(Protocol):
    """A generator function. Its keyword-only parameters are its options.

    A sampler that names the parameter `noise` is given the run's `Noise`; see `run_sampler`.
    """

    def __call__(
        self, denoise: Denoise, x: "Tensor", sigmas: SigmaGrid, /, *_: Any, **options: Any
    ) -> Iterator[Step]:
        """Yield a `Step` after each step from `x` at sigmas[0] to sigmas[-1].

        Args:
            denoise: the model.
            x: (B, C, h, w), float32 or wider; the sampler keeps this precision.
            sigmas: the noise levels of the run.
            options: together with `*_`, which is never passed, any keywords, required ones too.
        """
        ...


def draws_noise(sampler: Callable[..., Any]) -> bool:
    """Return whether a sampler can draw noise: whether it has a parameter `noise`."""
    return "noise" in inspect.signature(sampler).parameters


def run_sampler(
    sampler: Sampler,
    denoise: Denoise,
    x: "Tensor",
    sigmas: SigmaGrid,
    noise: Noise | None = None,
    /,
    **options: Any,
) -> Iterator[Step]:
    """Return the steps of a sampler from `x`, which is promoted to float32 if it is narrower.

    Small steps are lost in 16 bits. `noise` is passed to samplers that draw noise, and to no other.
    """
    if draws_noise(sampler):
        options["noise"] = noise
    return sampler(denoise, x if x.dtype.itemsize >= 4 else x.float(), sigmas, **options)


class Schedule(Protocol):
    """Chooses the sigmas of a run. Its keyword-only parameters are its options.

    A schedule that names the parameter `geometry` is given the `PictureGeometry` of the run's
    pictures; see `run_schedule`.
    """

    def __call__(self, steps: int, process: Any, /, **options: Any) -> SigmaGrid:
        """Return the sigmas of `steps` steps for a noise process."""
        ...


def depends_on_geometry(schedule: Callable[..., Any]) -> bool:
    """Return whether a schedule depends on the picture: whether it has a parameter `geometry`."""
    return "geometry" in inspect.signature(schedule).parameters


def run_schedule(
    schedule: Schedule,
    steps: int,
    process: Any,
    geometry: PictureGeometry | None,
    /,
    **options: Any,
) -> SigmaGrid:
    """Return the sigmas of a schedule.

    `geometry` is passed to schedules that depend on it, and to no other.

    Raises:
        InvalidInputError: the schedule depends on the geometry, and there is none.
    """
    if depends_on_geometry(schedule):
        if geometry is None:
            raise InvalidInputError(
                "this schedule depends on the size of the picture, and here is no picture"
            )
        options["geometry"] = geometry
    return schedule(steps, process, **options)


class Estimate(Protocol):
    """Evaluates several conditions of one x in as few denoiser calls as possible."""

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


class Predict(Estimate, Protocol):
    """Also offers what some guidance rules need of the run: images and further conditions."""

    @property
    def config(self) -> DenoiserConfig:
        """The denoiser's configuration."""
        ...

    def decode(self, latents: "Tensor", /) -> "Tensor":
        """Return the images (B, 3, H, W) of latents (B, C, h, w), differentiably.

        Raises:
            CompatibilityError: the run has no first stage, or denoises a picture in windows.
        """
        ...

    def condition_for(self, value: Any, /) -> Condition:
        """Return the run's condition with another value of the model's first public input.

        Raises:
            InvalidInputError: the input does not accept the value.
            CompatibilityError: the model has no public input.
        """
        ...


class Guidance(Protocol):
    """Makes a `denoise` from conditions. It is called once a run, so it may keep a run's state."""

    def __call__(
        self,
        predict: Predict,
        condition: Condition,
        null: Condition,
        sigmas: SigmaGrid,
        /,
        **options: Any,
    ) -> Denoise:
        """Return the guided denoise.

        `null` holds the unconditional part of every conditioner that has one. The unconditional
        condition is `condition.updated(null)`.
        """
        ...


class Acceleration(Protocol):
    """Makes faster, approximate estimates. Its keyword-only parameters are its options.

    It is called once a run, so it may keep a run's state.
    """

    def __call__(self, predict: Predict, sigmas: SigmaGrid, /, **options: Any) -> Estimate:
        """Return what guidance is to call instead of `predict`.

        A rule may call it several times a step, with other conditions: equal ones are the same
        objects at every step. A sampler may call several times at a sigma, between the sigmas of
        the grid, or at a higher one again.
        """
        ...
