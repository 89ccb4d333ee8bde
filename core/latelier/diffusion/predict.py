"""From a denoiser and its noise process to estimates of x0."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.components import Control, Denoiser, FirstStage, ScaledAdapter
from latelier.contracts.condition import Condition, concat
from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.errors import CompatibilityError
from latelier.diffusion.processes.process import Process


@dataclass(frozen=True, eq=False)
class Predictor:
    """`predict(x, sigma, conditions, control) -> [x0, ...]`, all conditions in one call.

    The denoiser runs in `dtype`; x and the estimates keep the precision of x. `first_stage` and
    `condition_for`, which makes the condition of another value of the first public input, are
    what a run of whole pictures has beside. `adapters` are part of every call.
    """

    denoiser: Denoiser
    process: Process
    dtype: torch.dtype = torch.float32
    first_stage: FirstStage | None = None
    condition_for: Callable[[Any], Condition] | None = None
    adapters: Mapping[str, ScaledAdapter] = field(default_factory=dict)

    @property
    def config(self) -> DenoiserConfig:
        """The denoiser's configuration."""
        return self.denoiser.config

    def decoded(self, latents: Tensor) -> Tensor:
        """Return the images (B, 3, H, W) of latents (B, C, h, w), in the precision of the latents.

        Raises:
            CompatibilityError: there is no first stage.
        """
        if self.first_stage is None:
            raise CompatibilityError(
                "this guidance looks at whole pictures, and here there are none: it is for runs of "
                "a pipeline without windows"
            )
        return self.first_stage.decode(latents.to(self.dtype)).to(latents.dtype)

    def told(self, value: Any) -> Condition:
        """Return the condition with another value of the first public input.

        Raises:
            InvalidInputError: that input cannot take it.
            CompatibilityError: there is no input.
        """
        if self.condition_for is None:
            raise CompatibilityError("this model has no public input to give other values")
        return self.condition_for(value)

    def __call__(
        self,
        x: Tensor,
        sigma: float | Tensor,
        conditions: Sequence[Condition],
        control: Control | None = None,
    ) -> list[Tensor]:
        """Return one estimate of x0 (B, C, h, w) for each condition."""
        control = self._with_adapters(control)
        return self._estimates(x, sigma, conditions, control)

    def _estimates(
        self,
        x: Tensor,
        sigma: float | Tensor,
        conditions: Sequence[Condition],
        control: Control | None,
    ) -> list[Tensor]:
        if not self._stackable(conditions):
            return [self._estimates(x, sigma, [each], control)[0] for each in conditions]
        k = len(conditions)
        scale = self.process.input_scale(frames.per_image(sigma, x))
        x_in = (x * scale).to(self.dtype)
        t = self.process.timestep(sigma).to(x.device).expand(len(x))
        if k > 1:
            x_in, t = x_in.repeat(k, *[1] * (x.ndim - 1)), t.repeat(k)
        output = self.denoiser(x_in, t, concat(conditions), _repeated(control, k))
        return [self.process.denoised(part.to(x.dtype), x, sigma) for part in output.chunk(k)]

    def _with_adapters(self, control: Control | None) -> Control | None:
        if not self.adapters:
            return control
        control = control or Control()
        return replace(control, adapters={**self.adapters, **control.adapters})

    def _stackable(self, conditions: Sequence[Condition]) -> bool:
        """Conditions of unequal lengths need masks; a model without them sees each alone."""
        if "masks" in self.denoiser.config.supports:
            return True
        lengths = [
            {name: stream.tokens.shape[1] for name, stream in condition.streams.items()}
            for condition in conditions
        ]
        return all(each == lengths[0] for each in lengths)


def _repeated(control: Control | None, k: int) -> Control | None:
    if control is None or k == 1:
        return control
    residuals = {name: tensor.repeat(k, 1, 1, 1) for name, tensor in control.residuals.items()}
    adapters = {name: _of_rows(use, k) for name, use in control.adapters.items()}
    return replace(control, residuals=residuals, adapters=adapters)


def _of_rows(use: ScaledAdapter, k: int) -> ScaledAdapter:
    return replace(use, scale=use.scale.repeat(k)) if isinstance(use.scale, Tensor) else use
