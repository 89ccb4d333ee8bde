"""From a denoiser and its noise process to estimates of x0."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.components import Control, Denoiser, FirstStage, ScaledAdapter
from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.errors import CompatibilityError
from latelier.diffusion.adapters import AdapterCalls
from latelier.diffusion.calls import ConditionJoiner
from latelier.diffusion.processes.process import Process


@dataclass(frozen=True, eq=False)
class Predictor:
    """`predict(x, sigma, conditions, control) -> [x0, ...]`, all conditions in one call.

    Attributes:
        denoiser: the network.
        process: the noise process that it was trained on.
        dtype: the precision that the denoiser runs in. x and the estimates keep that of x.
        first_stage: decodes the images that some guidance rules look at; None where x is a window
            of a picture.
        condition_factory: value of the model's first public input -> condition; None if the model
            has no public input.
        adapters: what they add to each call.
    """

    denoiser: Denoiser
    process: Process
    dtype: torch.dtype = torch.float32
    first_stage: FirstStage | None = None
    condition_factory: Callable[[Any], Condition] | None = None
    adapters: AdapterCalls = field(default_factory=lambda: AdapterCalls({}))
    _join: ConditionJoiner = field(init=False, repr=False, default_factory=ConditionJoiner)

    @property
    def config(self) -> DenoiserConfig:
        """The denoiser's configuration."""
        return self.denoiser.config

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images (B, 3, H, W) of latents (B, C, h, w), in the precision of the latents.

        Raises:
            CompatibilityError: there is no first stage.
        """
        if self.first_stage is None:
            raise CompatibilityError(
                "this guidance rule looks at whole pictures, and this run denoises a picture in "
                "windows; run it without windows, or use guidance 'cfg'"
            )
        return self.first_stage.decode(latents.to(self.dtype)).to(latents.dtype)

    def condition_for(self, value: Any) -> Condition:
        """Return the condition with another value of the model's first public input.

        Raises:
            InvalidInputError: the input does not accept the value.
            CompatibilityError: the model has no public input.
        """
        if self.condition_factory is None:
            raise CompatibilityError(
                "this guidance rule needs further values of the model's first public input, and "
                "the model has no public input; use guidance 'cfg'"
            )
        return self.condition_factory(value)

    def __call__(
        self,
        x: Tensor,
        sigma: float | Tensor,
        conditions: Sequence[Condition],
        control: Control | None = None,
    ) -> list[Tensor]:
        """Return one estimate of x0 (B, C, h, w) for each condition."""
        return self._estimate(x, sigma, conditions, self.adapters.attend(sigma, control))

    def _estimate(
        self,
        x: Tensor,
        sigma: float | Tensor,
        conditions: Sequence[Condition],
        control: Control | None,
    ) -> list[Tensor]:
        """Return one estimate of x0 for each condition: in one call if they can be stacked."""
        k = len(conditions)
        if k > 1 and not self._can_stack(conditions):
            controls = _divide(control, x, k)
            return [
                self._estimate(x, sigma, [each], part)[0]
                for each, part in zip(conditions, controls, strict=True)
            ]
        scale = self.process.input_scale(frames.per_image(sigma, x))
        x_in = (x * scale).to(self.dtype)
        t = self.process.timestep(sigma).to(x.device).expand(len(x))
        if k > 1:
            x_in, t = torch.cat([x_in] * k), torch.cat([t] * k)
        sigmas = sigma.repeat(k) if isinstance(sigma, Tensor) and sigma.ndim else sigma
        condition, control = self.adapters.add_residuals(
            x_in, t, sigmas, self._join(conditions), _repeat_rows(control, k)
        )
        output = self.denoiser(x_in, t, condition, control)
        return [self.process.denoised(part.to(x.dtype), x, sigma) for part in output.chunk(k)]

    def _can_stack(self, conditions: Sequence[Condition]) -> bool:
        """Return whether one call can evaluate them all.

        Streams of unequal lengths are padded under a mask, which the denoiser has to support.
        """
        if "masks" in self.denoiser.config.supports:
            return True
        lengths = [
            {name: stream.tokens.shape[1] for name, stream in condition.streams.items()}
            for condition in conditions
        ]
        return all(each == lengths[0] for each in lengths)


def _divide(control: Control | None, x: Tensor, k: int) -> list[Control | None]:
    """Return the controls of k calls with the images x; the branch is of all their rows."""
    if control is None or control.deep_branch is None:
        return [control] * k
    rows = torch.arange(k * len(x), device=x.device).chunk(k)
    return [replace(control, deep_branch=control.deep_branch.select(each)) for each in rows]


def _repeat_rows(control: Control | None, k: int) -> Control | None:
    """Return the control of k times the batch: k conditions of the same images.

    The branch is of all their rows already.
    """
    if control is None or k == 1:
        return control
    residuals = {name: tensor.repeat(k, 1, 1, 1) for name, tensor in control.residuals.items()}
    adapters = {name: _repeat_scale(use, k) for name, use in control.adapters.items()}
    return replace(control, residuals=residuals, adapters=adapters)


def _repeat_scale(use: ScaledAdapter, k: int) -> ScaledAdapter:
    return replace(use, scale=use.scale.repeat(k)) if isinstance(use.scale, Tensor) else use
