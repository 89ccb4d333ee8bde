"""Whether an adapter was made for cross-attentions such as a denoiser has."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from torch import Tensor

from latelier.contracts.components import Control, ScaledAdapter
from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig, InputSpec
from latelier.contracts.errors import ConditionError, InvalidInputError, suggestion
from latelier.denoisers.configs import AdapterConfig

_SHOWN = 3


def misfit(config: AdapterConfig, cross_attentions: Mapping[str, int]) -> str | None:
    """Return what is wrong with an adapter for a denoiser, or None where it fits.

    Args:
        config: the adapter's.
        cross_attentions: name -> width of the denoiser's.
    """
    if not cross_attentions:
        return "is added to cross-attentions, and this denoiser has none"
    missing = [f"'{name}'" for name in config.layers if name not in cross_attentions]
    if missing:
        there = _there(cross_attentions)
        return f"has the layers {_listed(missing)}, which this denoiser has not; {there}"
    other = [
        f"'{name}' of width {width}, which is {cross_attentions[name]} here"
        for name, width in config.layers.items()
        if width != cross_attentions[name]
    ]
    return f"is for another denoiser: it has {_listed(other)}" if other else None


def _there(cross_attentions: Mapping[str, int]) -> str:
    first, *_ = cross_attentions
    return f"its {len(cross_attentions)} cross-attentions are named such as '{first}'"


def _listed(layers: list[str]) -> str:
    more = f" and {len(layers) - _SHOWN} more" if len(layers) > _SHOWN else ""
    return ", ".join(layers[:_SHOWN]) + more


def check_condition(
    condition: Condition, takes: InputSpec, x: Tensor, adapters: Mapping[str, ScaledAdapter]
) -> None:
    """Check a condition against what the denoiser of x (B, C, h, w) takes.

    Streams and vectors may be absent. Spatial parts may not: they have no neutral value.

    Args:
        condition: all that is given.
        takes: what the denoiser takes by itself.
        x: what it denoises.
        adapters: each takes a stream of its name.

    Raises:
        ConditionError: a name, width, size or batch that does not fit; lists what would.
    """
    streams = {name: slot.width for name, slot in takes.streams.items()}
    for name, use in adapters.items():
        if name in streams:
            raise ConditionError(
                f"an adapter is called '{name}', as is a stream that this denoiser takes itself; "
                "give the adapter another name"
            )
        _check_scale(name, use, x)
    streams |= {name: use.module.config.width for name, use in adapters.items()}
    for kind, given, taken in (
        ("stream", condition.streams, streams),
        ("spatial part", condition.spatial, takes.spatial),
        ("vector", condition.vectors, takes.vectors),
    ):
        _check_names(kind, given, taken)
    for name, stream in condition.streams.items():
        _check_width("stream", name, stream.tokens.shape[2], streams[name])
    for name, vector in condition.vectors.items():
        _check_width("vector", name, vector.shape[1], takes.vectors[name])
    _check_spatial(condition.spatial, takes.spatial, x)
    if condition.batch not in (None, len(x)):
        raise ConditionError(f"the condition has {condition.batch} rows, but x has {len(x)}")


def _check_scale(name: str, use: ScaledAdapter, x: Tensor) -> None:
    if isinstance(use.scale, Tensor) and use.scale.shape != (len(x),):
        raise ConditionError(
            f"the scale of the adapter '{name}' has the shape {tuple(use.scale.shape)}; it is a "
            f"number, or ({len(x)},)"
        )


def _check_names(kind: str, given: Mapping[str, Any], taken: Mapping[str, Any]) -> None:
    for name in given:
        if name not in taken:
            raise ConditionError(
                f"this denoiser takes no {kind} '{name}'. {suggestion(name, taken)}"
            )


def _check_width(kind: str, name: str, given: int, taken: int) -> None:
    if given != taken:
        raise ConditionError(
            f"the {kind} '{name}' has width {given}, but this denoiser takes {taken}"
        )


def _check_spatial(given: Mapping[str, Tensor], taken: Mapping[str, int], x: Tensor) -> None:
    missing = [name for name in taken if name not in given]
    if missing:
        needs = ", ".join(f"{name} ({channels} channels)" for name, channels in taken.items())
        raise ConditionError(
            f"the spatial part '{missing[0]}' is missing; this denoiser needs {needs}"
        )
    for name, part in given.items():
        right = (taken[name], *x.shape[2:])
        if part.shape[1:] != right:
            raise ConditionError(
                f"the spatial part '{name}' has the shape {tuple(part.shape[1:])}, "
                f"but this denoiser takes {tuple(right)} here"
            )


def check_control(
    control: Control,
    blocks: AbstractSet[str],
    self_attentions: AbstractSet[str],
    cross_attentions: Mapping[str, int],
) -> None:
    """Check the names in a control against those of a denoiser.

    Raises:
        ConditionError: a name that there is not; lists those that there are.
    """
    for name in control.residuals:
        if name not in blocks:
            raise ConditionError(f"no block '{name}'. {suggestion(name, blocks)}")
    for name in control.perturbed_attention:
        if name not in self_attentions:
            raise ConditionError(f"no self-attention '{name}'. {suggestion(name, self_attentions)}")
    for name, use in control.adapters.items():
        fault = misfit(use.module.config, cross_attentions)
        if fault is not None:
            raise ConditionError(f"the adapter '{name}' {fault}")


def residual_for(control: Control, name: str, shape: tuple[int, ...]) -> Tensor | None:
    """Return the residual for a block whose output has the shape (B, C, h, w); None without one.

    Raises:
        ConditionError: it has another shape.
    """
    residual = control.residuals.get(name)
    if residual is not None and residual.shape != shape:
        raise ConditionError(
            f"the residual for '{name}' has the shape {tuple(residual.shape)}; "
            f"it must be {tuple(shape)}"
        )
    return residual


def check_input(x: Tensor, t: Tensor, config: DenoiserConfig) -> None:
    """Check x, which must be (B, C, h, w), and t, which must be (B,).

    Raises:
        InvalidInputError: a shape that the denoiser cannot take; says which it can.
    """
    multiple = config.size_multiple
    fits = x.ndim == 4 and x.shape[1] == config.latent_channels
    if not fits or x.shape[2] % multiple or x.shape[3] % multiple:
        raise InvalidInputError(
            f"x has the shape {tuple(x.shape)}; this denoiser takes "
            f"(B, {config.latent_channels}, h, w), h and w multiples of {multiple}"
        )
    if t.shape != x.shape[:1]:
        raise InvalidInputError(f"t has the shape {tuple(t.shape)}; it must be ({len(x)},)")
