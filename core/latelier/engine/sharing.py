"""Which calls of a denoiser can be joined into one."""

from collections.abc import Hashable

from torch import Tensor

from latelier.contracts.components import Control, ScaledAdapter
from latelier.contracts.condition import Condition, Stream
from latelier.diffusion.calls import DenoiserCall


def sharing_key(call: DenoiserCall, *, pads_streams: bool) -> Hashable:
    """Return a key that two calls have in common if they can be joined.

    Args:
        call: of the denoiser.
        pads_streams: whether a stream may be padded, under a mask, to the length of another. It
            needs a denoiser that supports masks, and changes the last bits of a row.
    """
    condition = call.condition
    streams = _regions(condition) if pads_streams else _layout(condition)
    return (
        (*call.x.shape[1:], call.x.dtype, call.x.device),
        condition.batch is None,
        streams,
        frozenset((name, each.shape[1:]) for name, each in condition.spatial.items()),
        _control_kind(call.control),
    )


def _regions(condition: Condition) -> Hashable:
    """Return the sizes of the regions, all that streams and vectors must agree in if padded."""
    return frozenset(
        (name, stream.region.shape[2:])
        for name, stream in condition.streams.items()
        if stream.region is not None
    )


def _layout(condition: Condition) -> Hashable:
    """Return what streams and vectors must agree in where nothing is padded or filled in."""
    streams = frozenset((name, *_stream_kind(each)) for name, each in condition.streams.items())
    return streams, frozenset(condition.vectors)


def _stream_kind(stream: Stream) -> tuple[Hashable, ...]:
    region = None if stream.region is None else stream.region.shape[2:]
    return stream.tokens.shape[1:], stream.mask is None, region, _scale_kind(stream.scale)


def _control_kind(control: Control | None) -> Hashable:
    if control is None:
        return None
    return (
        control.perturbed_attention,
        control.gradient_checkpointing,
        control.self_attention,
        None if control.deep_branch is None else object(),  # a key that no other call has
        frozenset((name, each.shape[1:]) for name, each in control.residuals.items()),
        frozenset((name, *_adapter_kind(each)) for name, each in control.adapters.items()),
    )


def _adapter_kind(use: ScaledAdapter) -> tuple[Hashable, ...]:
    return id(use.module), _scale_kind(use.scale)


def _scale_kind(scale: float | Tensor) -> Hashable:
    return "rows" if isinstance(scale, Tensor) else scale
