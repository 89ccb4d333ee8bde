"""Checks of the arguments of a denoiser's forward pass."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from latelier.contracts.components import Control, ScaledAdapter
from latelier.contracts.condition import Condition
from latelier.contracts.configs import InputSpec
from latelier.contracts.errors import ConditionError, InvalidInputError
from latelier.contracts.messages import suggestion


@dataclass(frozen=True)
class CallSpec:
    """What a denoiser accepts in a forward pass.

    Attributes:
        latent_channels: of x, without spatial conditions.
        size_multiple: h and w of x are multiples of it.
        inputs: the conditions.
        blocks: names of the blocks to whose outputs residuals can be added.
        self_attentions: names of the self-attentions that can be perturbed.
        cross_attentions: name -> width of the cross-attentions that adapters can serve.
        max_depth: greatest depth of a deep branch; 0: it has none.
    """

    latent_channels: int
    size_multiple: int
    inputs: InputSpec
    blocks: frozenset[str]
    self_attentions: frozenset[str]
    cross_attentions: Mapping[str, int] = field(default_factory=dict)
    max_depth: int = 0


def check_call(
    x: Tensor, t: Tensor, condition: Condition, control: Control, spec: CallSpec
) -> None:
    """Check all arguments of a forward pass.

    Raises:
        InvalidInputError: x or t has a wrong shape.
        ConditionError: a part of the condition, or a name in the control, is unknown or does not
            fit.
        CompatibilityError: an adapter was made for another denoiser.
    """
    check_input(x, t, spec)
    check_condition(condition, control.adapters, x, spec.inputs)
    check_control(control, spec)


def check_input(x: Tensor, t: Tensor, spec: CallSpec) -> None:
    """Check that x is (B, C, h, w) and t is (B,).

    Raises:
        InvalidInputError: names the shape that is accepted.
    """
    multiple = spec.size_multiple
    fits = x.ndim == 4 and x.shape[1] == spec.latent_channels
    if not fits or x.shape[2] % multiple or x.shape[3] % multiple:
        sides = f", h and w multiples of {multiple}" if multiple > 1 else ""
        raise InvalidInputError(
            f"x has the shape {tuple(x.shape)}; this denoiser takes "
            f"(B, {spec.latent_channels}, h, w){sides}"
        )
    if t.shape != x.shape[:1]:
        raise InvalidInputError(f"t has the shape {tuple(t.shape)}; it must be ({len(x)},)")


def check_condition(
    condition: Condition, adapters: Mapping[str, ScaledAdapter], x: Tensor, inputs: InputSpec
) -> None:
    """Check that a condition fits x (B, C, h, w) and the inputs of its denoiser.

    Streams and vectors may be absent. Spatial parts may not: they have no neutral value.

    Args:
        condition: every part of it must be known.
        adapters: each takes the stream of its name.
        x: what the denoiser denoises.
        inputs: what the denoiser takes without adapters.

    Raises:
        ConditionError: a name, width, size or batch size does not fit; lists what would.
    """
    streams = {name: slot.width for name, slot in inputs.streams.items()}
    for name, scaled in adapters.items():
        if name in streams:
            raise ConditionError(
                f"an adapter is called '{name}', which is also the name of a stream of this "
                "denoiser; give the adapter another name"
            )
        _check_scale(name, scaled, x)
        streams[name] = scaled.module.config.width
    _check_names("stream", condition.streams, streams)
    _check_names("spatial part", condition.spatial, inputs.spatial)
    _check_names("vector", condition.vectors, inputs.vectors)
    for name, stream in condition.streams.items():
        _check_width("stream", name, stream.tokens.shape[2], streams[name])
    for name, vector in condition.vectors.items():
        _check_width("vector", name, vector.shape[1], inputs.vectors[name])
    _check_spatial(condition.spatial, inputs.spatial, x)
    if condition.batch not in (None, len(x)):
        raise ConditionError(f"the condition has {condition.batch} rows, but x has {len(x)}")


def check_control(control: Control, spec: CallSpec) -> None:
    """Check the names, the adapters and the depth of a control.

    Raises:
        ConditionError: a name is unknown, or there is no deep branch of that depth; lists what
            there is.
        CompatibilityError: an adapter was made for another denoiser.
    """
    for name in control.residuals:
        if name not in spec.blocks:
            raise ConditionError(f"no block '{name}'. {suggestion(name, spec.blocks)}")
    for name in control.perturbed_attention:
        if name not in spec.self_attentions:
            raise ConditionError(
                f"no self-attention '{name}'. {suggestion(name, spec.self_attentions)}"
            )
    for name, scaled in control.adapters.items():
        scaled.module.config.check_layers(name, spec.cross_attentions)
    if control.deep_branch is not None and not 1 <= control.deep_branch.depth <= spec.max_depth:
        known = f"has 1 to {spec.max_depth}" if spec.max_depth else "has no deep branch"
        raise ConditionError(
            f"no deep branch of depth {control.deep_branch.depth}; this denoiser {known}"
        )


def check_residual(name: str, residual: Tensor, shape: tuple[int, ...]) -> None:
    """Check that a residual has the shape (B, C, h, w) of the output of its block.

    Raises:
        ConditionError: names both shapes.
    """
    if residual.shape != shape:
        raise ConditionError(
            f"the residual for '{name}' has the shape {tuple(residual.shape)}; "
            f"it must be {tuple(shape)}"
        )


def _check_scale(name: str, scaled: ScaledAdapter, x: Tensor) -> None:
    if isinstance(scaled.scale, Tensor) and scaled.scale.shape != (len(x),):
        raise ConditionError(
            f"the scale of the adapter '{name}' has the shape {tuple(scaled.scale.shape)}; it must "
            f"be a number or ({len(x)},)"
        )


def _check_names(kind: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for name in given:
        if name not in known:
            raise ConditionError(
                f"this denoiser takes no {kind} '{name}'. {suggestion(name, known)}"
            )


def _check_width(kind: str, name: str, width: int, expected: int) -> None:
    if width != expected:
        raise ConditionError(
            f"the {kind} '{name}' has width {width}, but this denoiser takes {expected}"
        )


def _check_spatial(given: Mapping[str, Tensor], known: Mapping[str, int], x: Tensor) -> None:
    missing = [name for name in known if name not in given]
    if missing:
        needs = ", ".join(f"{name} ({channels} channels)" for name, channels in known.items())
        raise ConditionError(
            f"the spatial part '{missing[0]}' is missing; this denoiser needs {needs}"
        )
    for name, part in given.items():
        expected = (known[name], *x.shape[2:])
        if part.shape[1:] != expected:
            raise ConditionError(
                f"the spatial part '{name}' has the shape {tuple(part.shape[1:])}, "
                f"but this denoiser takes {expected} here"
            )
