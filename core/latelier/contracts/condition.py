"""Conditions: the value that passes from conditioners to denoisers.

A conditioner returns a `ConditionPart`; named parts form a `Condition`. Slots have names: the rank
of a tensor decides nothing. Functions that compute import torch, so that this module is cheap to
import.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from latelier.contracts.errors import ConditionError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


T = TypeVar("T")

_FLOATING = "floating point"


@dataclass(frozen=True, eq=False)
class Stream:
    """Tokens for cross-attention.

    Attributes:
        tokens: (B, N, D), floating point.
        mask: (B, N) bool, true for tokens that are attended to; None for all.
        region: (B, 1, h, w) in 0..1, where in the picture the stream acts; None for everywhere.
        scale: strength, a number or (B,); 0 is the same as no stream.

    Raises:
        ConditionError: a tensor has another shape, dtype or device.
    """

    tokens: "Tensor"
    mask: "Tensor | None" = None
    region: "Tensor | None" = None
    scale: "float | Tensor" = 1.0

    def __post_init__(self) -> None:
        import torch

        _check(self.tokens.ndim == 3, "stream tokens", "(B, N, D)", self.tokens)
        _check(self.tokens.is_floating_point(), "stream tokens", _FLOATING, self.tokens)
        b, n, _ = self.tokens.shape
        if self.mask is not None:
            _check(self.mask.shape == (b, n), "stream mask", f"({b}, {n})", self.mask)
            _check(self.mask.dtype == torch.bool, "stream mask", "bool", self.mask)
        if self.region is not None:
            fits = self.region.ndim == 4 and self.region.shape[:2] == (b, 1)
            _check(fits, "stream region", f"({b}, 1, h, w)", self.region)
            _check(self.region.is_floating_point(), "stream region", _FLOATING, self.region)
        if isinstance(self.scale, torch.Tensor):
            _check(self.scale.shape == (b,), "stream scale", f"a number or ({b},)", self.scale)
        for name in ("mask", "region", "scale"):
            _check_device(f"stream {name}", getattr(self, name), self.tokens)

    def pad(self, n: int) -> "Stream":
        """Return the stream with `n` tokens; the new ones are zero and masked.

        Raises:
            ConditionError: the stream has more than `n` tokens.
        """
        from torch.nn.functional import pad

        extra = n - self.tokens.shape[1]
        _check(extra >= 0, "a stream to be padded", f"at most {n} tokens long", self.tokens)
        if extra == 0:
            return self
        tokens = pad(self.tokens, (0, 0, 0, extra))
        return replace(self, tokens=tokens, mask=pad(_mask(self), (0, extra), value=False))

    def to(self, device: "torch.device | str", dtype: "torch.dtype") -> "Stream":
        """Return the stream on `device`, its floating-point tensors as `dtype`."""
        return Stream(*(_move(each, device, dtype) for each in vars(self).values()))


@dataclass(frozen=True, eq=False)
class ConditionPart:
    """The output of one conditioner, for any of three slots.

    Attributes:
        stream: tokens for cross-attention, or None.
        spatial: (B, C, h, w) at latent size, or None.
        vector: (B, V), or None.

    Raises:
        ConditionError: all slots are None, batch sizes differ, or a tensor has another shape or
            dtype.
    """

    stream: Stream | None = None
    spatial: "Tensor | None" = None
    vector: "Tensor | None" = None

    def __post_init__(self) -> None:
        if self.spatial is not None:
            _check(self.spatial.ndim == 4, "spatial part", "(B, C, h, w)", self.spatial)
            _check(self.spatial.is_floating_point(), "spatial part", _FLOATING, self.spatial)
        if self.vector is not None:
            _check(self.vector.ndim == 2, "vector part", "(B, V)", self.vector)
            _check(self.vector.is_floating_point(), "vector part", _FLOATING, self.vector)
        rows = {name: len(tensor) for name, tensor in self.tensors().items()}
        if not rows:
            raise ConditionError("a part is empty: it has neither stream nor spatial nor vector")
        if len(set(rows.values())) > 1:
            raise ConditionError(f"a part has different batch sizes: {rows}")

    def tensors(self) -> "dict[str, Tensor]":
        """Return the main tensor of every filled slot."""
        stream = None if self.stream is None else self.stream.tokens
        slots = {"stream": stream, "spatial": self.spatial, "vector": self.vector}
        return {name: tensor for name, tensor in slots.items() if tensor is not None}

    @property
    def batch(self) -> int:
        """Number of rows B."""
        return len(next(iter(self.tensors().values())))


@dataclass(frozen=True, eq=False)
class Condition:
    """All conditions of one batch, by the names of the conditioners.

    Attributes:
        streams: are attended to.
        spatial: (B, C, h, w), are concatenated to the latents.
        vectors: (B, V), are projected and added to the timestep embedding.

    Raises:
        ConditionError: batch sizes, devices or dtypes of the tensors differ.
    """

    streams: Mapping[str, Stream] = field(default_factory=dict)
    spatial: "Mapping[str, Tensor]" = field(default_factory=dict)
    vectors: "Mapping[str, Tensor]" = field(default_factory=dict)

    @classmethod
    def of(cls, parts: Mapping[str, ConditionPart]) -> "Condition":
        """Return the condition of named parts."""
        return cls(
            {name: part.stream for name, part in parts.items() if part.stream is not None},
            {name: part.spatial for name, part in parts.items() if part.spatial is not None},
            {name: part.vector for name, part in parts.items() if part.vector is not None},
        )

    def __post_init__(self) -> None:
        tensors = dict(self.named_tensors())
        for what, of in _MUST_AGREE.items():
            found = {name: of(tensor) for name, tensor in tensors.items()}
            if len(set(found.values())) > 1:
                listed = ", ".join(f"{name} {value}" for name, value in found.items())
                raise ConditionError(f"the parts of a condition have different {what}: {listed}")

    def named_tensors(self) -> "Iterable[tuple[str, Tensor]]":
        """Yield the name and the main tensor of every slot."""
        for name, stream in self.streams.items():
            yield f"streams.{name}", stream.tokens
        for name, tensor in self.spatial.items():
            yield f"spatial.{name}", tensor
        for name, tensor in self.vectors.items():
            yield f"vectors.{name}", tensor

    @property
    def batch(self) -> int | None:
        """Number of rows B, or None for an empty condition."""
        return next((len(tensor) for _, tensor in self.named_tensors()), None)

    def union(self, other: "Condition") -> "Condition":
        """Return the condition with the slots of both.

        Raises:
            ConditionError: a slot is in both.
        """
        shared = sorted(
            {name for name, _ in self.named_tensors()} & {name for name, _ in other.named_tensors()}
        )
        if shared:
            raise ConditionError(f"both conditions have {', '.join(shared)}")
        return self.updated(other)

    def updated(self, other: "Condition") -> "Condition":
        """Return the condition with the slots of both; those of `other` win."""
        return Condition(
            {**self.streams, **other.streams},
            {**self.spatial, **other.spatial},
            {**self.vectors, **other.vectors},
        )

    def to(self, device: "torch.device | str", dtype: "torch.dtype") -> "Condition":
        """Return the condition on `device`, its floating-point tensors as `dtype`."""
        return Condition(
            {name: stream.to(device, dtype) for name, stream in self.streams.items()},
            {name: _move(tensor, device, dtype) for name, tensor in self.spatial.items()},
            {name: _move(tensor, device, dtype) for name, tensor in self.vectors.items()},
        )


_MUST_AGREE: "dict[str, Callable[[Tensor], object]]" = {
    "batch sizes": len,
    "devices": lambda tensor: tensor.device,
    "dtypes": lambda tensor: tensor.dtype,
}


def concat(conditions: Sequence[Condition]) -> Condition:
    """Return one condition with the rows of all, in order.

    Shorter streams are padded under a mask. In a condition that lacks a stream it is fully masked,
    and one that lacks a vector gets zeros. An empty condition has as many rows as the others.

    Raises:
        ConditionError: a condition lacks a spatial part, which has no neutral value.
    """
    import torch

    if len(conditions) == 1:
        return conditions[0]
    some = next((c.batch for c in conditions if c.batch is not None), 0)
    rows = [some if condition.batch is None else condition.batch for condition in conditions]
    streams = _gather([condition.streams for condition in conditions], rows, _masked)
    vectors = _gather([condition.vectors for condition in conditions], rows, _zeros)
    for name in dict.fromkeys(name for condition in conditions for name in condition.spatial):
        if any(name not in condition.spatial for condition in conditions):
            raise ConditionError(f"spatial part '{name}' is missing from one of the conditions")
    return Condition(
        {name: _combine(several, torch.cat) for name, several in streams.items()},
        {name: torch.cat([c.spatial[name] for c in conditions]) for name in conditions[0].spatial},
        {name: torch.cat(several) for name, several in vectors.items()},
    )


def select(condition: Condition, rows: "Tensor") -> Condition:
    """Return the rows of a condition that an index (K,) int64 names, in its order."""

    def of(value: "Tensor | float | None") -> Any:
        return value if value is None or isinstance(value, float | int) else value[rows]

    return Condition(
        {
            name: Stream(*(of(each) for each in vars(stream).values()))
            for name, stream in condition.streams.items()
        },
        {name: of(tensor) for name, tensor in condition.spatial.items()},
        {name: of(tensor) for name, tensor in condition.vectors.items()},
    )


def where(keep: "Tensor", part: ConditionPart, other: ConditionPart) -> ConditionPart:
    """Return the rows of `part` where `keep`, (B,) bool, is true, and of `other` elsewhere.

    Training drops a condition with it: `other` is then the null part.

    Raises:
        ConditionError: the parts fill different slots or have different numbers of rows.
    """
    import torch

    def rows(pair: "list[Tensor]") -> "Tensor":
        a, b = pair
        return torch.where(keep.view(-1, *[1] * (a.ndim - 1)), a, b)

    slots, others = list(part.tensors()), list(other.tensors())
    if slots != others or not len(keep) == part.batch == other.batch:
        raise ConditionError(
            f"cannot choose {len(keep)} rows from {part.batch} of {', '.join(slots)} and "
            f"{other.batch} of {', '.join(others)}"
        )
    pairs: Any = {name: [getattr(part, name), getattr(other, name)] for name in slots}
    stream = _combine(pairs.pop("stream"), rows) if "stream" in pairs else None
    return ConditionPart(stream, **{name: rows(pair) for name, pair in pairs.items()})


def _gather(
    slots: Sequence[Mapping[str, T]], rows: Sequence[int], absent: Callable[[T, int], T]
) -> dict[str, list[T]]:
    """Return name -> its value in each slot, or `absent` of another's value and the rows."""
    examples = {name: value for slot in slots for name, value in slot.items()}
    return {
        name: [
            slot[name] if name in slot else absent(example, count)
            for slot, count in zip(slots, rows, strict=True)
        ]
        for name, example in examples.items()
    }


def _masked(example: Stream, rows: int) -> Stream:
    """Return a stream of one masked token, of the width of `example`."""
    tokens = example.tokens.new_zeros(rows, 1, example.tokens.shape[2])
    return Stream(tokens, tokens.new_zeros(rows, 1).bool())


def _zeros(example: "Tensor", rows: int) -> "Tensor":
    return example.new_zeros(rows, *example.shape[1:])


def _combine(streams: Sequence[Stream], combine: "Callable[[list[Tensor]], Tensor]") -> Stream:
    """Return one stream of several, their optional fields filled in if any of them has one."""
    n = max(stream.tokens.shape[1] for stream in streams)
    streams = [stream.pad(n) for stream in streams]
    scale = streams[0].scale
    regions = [stream.region for stream in streams if stream.region is not None]
    one_scale = all(isinstance(s.scale, float | int) and s.scale == scale for s in streams)
    return Stream(
        combine([stream.tokens for stream in streams]),
        None if all(s.mask is None for s in streams) else combine([_mask(s) for s in streams]),
        combine([_region(stream, regions[0]) for stream in streams]) if regions else None,
        scale if one_scale else combine([_scale(stream) for stream in streams]),
    )


def _mask(stream: Stream) -> "Tensor":
    if stream.mask is not None:
        return stream.mask
    return stream.tokens.new_ones(stream.tokens.shape[:2]).bool()


def _region(stream: Stream, example: "Tensor") -> "Tensor":
    if stream.region is not None:
        return stream.region
    return example.new_ones(len(stream.tokens), *example.shape[1:])


def _scale(stream: Stream) -> "Tensor":
    import torch

    scale = torch.as_tensor(stream.scale, dtype=torch.float32, device=stream.tokens.device)
    return scale.expand(len(stream.tokens))


def _move(value: Any, device: "torch.device | str", dtype: "torch.dtype") -> Any:
    if value is None or isinstance(value, float | int):
        return value
    return value.to(device, dtype if value.is_floating_point() else None)


def _check(fits: bool, what: str, expected: str, tensor: "Tensor") -> None:
    if not fits:
        raise ConditionError(
            f"{what} must be {expected}, not {tensor.dtype} of shape {tuple(tensor.shape)}"
        )


def _check_device(what: str, value: Any, tokens: "Tensor") -> None:
    device = getattr(value, "device", tokens.device)
    if device != tokens.device:
        raise ConditionError(f"{what} is on {device}, the tokens are on {tokens.device}")
