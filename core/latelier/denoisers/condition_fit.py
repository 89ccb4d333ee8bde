"""Whether a condition is what a denoiser takes."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from latelier.kernel.condition import Condition
from latelier.kernel.contracts import ScaledAdapter
from latelier.kernel.errors import ConditionError, suggestion
from latelier.kernel.slots import Takes


def check_condition(
    condition: Condition, takes: Takes, x: Tensor, adapters: Mapping[str, ScaledAdapter]
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
