"""Conditions: the one value that passes from conditioners to denoisers.

A conditioner gives a `Part`. Named parts make a `Condition`. Nothing is routed by tensor rank.
torch is imported by the functions that compute, so that importing this file is cheap.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from latelier.kernel.errors import ConditionError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Stream:
    """Tokens for cross-attention.

    tokens: (B, N, D) floating point.
    mask: (B, N) bool, true where a token counts; None where all do.
    region: (B, 1, h, w) in 0..1, where in the picture the stream acts; None for everywhere.
    scale: how much it counts, a number or (B,); 0 is the same as absent.
    """

    tokens: "Tensor"
    mask: "Tensor | None" = None
    region: "Tensor | None" = None
    scale: "float | Tensor" = 1.0

    def __post_init__(self) -> None:
        import torch

        _check(self.tokens.ndim == 3, "stream tokens", "(B, N, D)", self.tokens)
        _check(self.tokens.is_floating_point(), "stream tokens", "floating point", self.tokens)
        b, n, _ = self.tokens.shape
        if self.mask is not None:
            _check(self.mask.shape == (b, n), "stream mask", f"({b}, {n})", self.mask)
            _check(self.mask.dtype == torch.bool, "stream mask", "bool", self.mask)
        if self.region is not None:
            fits = self.region.ndim == 4 and self.region.shape[:2] == (b, 1)
            _check(fits, "stream region", f"({b}, 1, h, w)", self.region)
            _check(self.region.is_floating_point(), "stream region", "floating point", self.region)
        if isinstance(self.scale, torch.Tensor):
            _check(self.scale.shape == (b,), "stream scale", f"a number or ({b},)", self.scale)
        for name in ("mask", "region", "scale"):
            _check_device(f"stream {name}", getattr(self, name), self.tokens)

    def padded(self, n: int) -> "Stream":
        """Return the stream with `n` tokens, the new ones zero and masked."""
        import torch
        from torch.nn.functional import pad

        b, length, _ = self.tokens.shape
        if length == n:
            return self
        device = self.tokens.device
        mask = self.mask
        if mask is None:
            mask = torch.ones(b, length, dtype=torch.bool, device=device)
        extra = n - length
        return replace(
            self, tokens=pad(self.tokens, (0, 0, 0, extra)), mask=pad(mask, (0, extra), value=False)
        )


@dataclass(frozen=True, eq=False)
class Part:
    """What one conditioner gives. Each field is None where it gives nothing there.

    stream: see `Stream`. spatial: (B, C, h, w) at latent size. vector: (B, V).
    """

    stream: Stream | None = None
    spatial: "Tensor | None" = None
    vector: "Tensor | None" = None

    def __post_init__(self) -> None:
        if self.spatial is not None:
            _check(self.spatial.ndim == 4, "spatial part", "(B, C, h, w)", self.spatial)
        if self.vector is not None:
            _check(self.vector.ndim == 2, "vector part", "(B, V)", self.vector)
        if len({len(tensor) for tensor in self.tensors()}) > 1:
            sizes = [tuple(tensor.shape) for tensor in self.tensors()]
            raise ConditionError(f"a part mixes batch sizes: its tensors have the shapes {sizes}")

    def tensors(self) -> "list[Tensor]":
        """Return the tensors whose first axis is the batch."""
        stream = None if self.stream is None else self.stream.tokens
        return [tensor for tensor in (stream, self.spatial, self.vector) if tensor is not None]

    @property
    def batch(self) -> int:
        """Number of rows."""
        return len(self.tensors()[0])


@dataclass(frozen=True, eq=False)
class Condition:
    """All that a denoiser is told of one batch, by the names of the conditioners.

    streams are attended to, spatial maps (B, C, h, w) are concatenated to the latent, vectors
    (B, V) are projected and added to the timestep embedding.
    """

    streams: Mapping[str, Stream] = field(default_factory=dict)
    spatial: "Mapping[str, Tensor]" = field(default_factory=dict)
    vectors: "Mapping[str, Tensor]" = field(default_factory=dict)

    @classmethod
    def of(cls, parts: Mapping[str, Part]) -> "Condition":
        """Return the condition made of named parts."""
        return cls(
            {name: part.stream for name, part in parts.items() if part.stream is not None},
            {name: part.spatial for name, part in parts.items() if part.spatial is not None},
            {name: part.vector for name, part in parts.items() if part.vector is not None},
        )

    def __post_init__(self) -> None:
        tensors = dict(self.named_tensors())
        if len({len(tensor) for tensor in tensors.values()}) > 1:
            sizes = {name: len(tensor) for name, tensor in tensors.items()}
            raise ConditionError(f"the parts of a condition have different batch sizes: {sizes}")
        if len({tensor.device for tensor in tensors.values()}) > 1:
            devices = {name: str(tensor.device) for name, tensor in tensors.items()}
            raise ConditionError(f"the parts of a condition are on different devices: {devices}")
        if len({tensor.dtype for tensor in tensors.values()}) > 1:
            dtypes = {name: str(tensor.dtype) for name, tensor in tensors.items()}
            raise ConditionError(f"the parts of a condition have different dtypes: {dtypes}")

    def named_tensors(self) -> "Iterable[tuple[str, Tensor]]":
        """Yield a name and the main tensor of every slot."""
        for name, stream in self.streams.items():
            yield f"streams.{name}", stream.tokens
        for name, tensor in self.spatial.items():
            yield f"spatial.{name}", tensor
        for name, tensor in self.vectors.items():
            yield f"vectors.{name}", tensor

    @property
    def batch(self) -> int | None:
        """Number of rows, or None where nothing is given."""
        return next((len(tensor) for _, tensor in self.named_tensors()), None)

    def joined(self, other: "Condition") -> "Condition":
        """Return the union.

        Raises:
            ConditionError: a name is in both.
        """
        twice = sorted(
            {name for name, _ in self.named_tensors()} & {name for name, _ in other.named_tensors()}
        )
        if twice:
            raise ConditionError(f"two conditions both give {', '.join(twice)}")
        return self.replaced(other)

    def replaced(self, other: "Condition") -> "Condition":
        """Return this condition with what `other` gives in place of its own."""
        return Condition(
            {**self.streams, **other.streams},
            {**self.spatial, **other.spatial},
            {**self.vectors, **other.vectors},
        )

    def to(self, device: "torch.device | str", dtype: "torch.dtype") -> "Condition":
        """Return the condition on `device`, its floating-point tensors as `dtype`."""

        def moved(value: Any) -> Any:
            if value is None or isinstance(value, float | int):
                return value
            return value.to(device, dtype if value.is_floating_point() else None)

        return Condition(
            {
                name: Stream(moved(s.tokens), moved(s.mask), moved(s.region), moved(s.scale))
                for name, s in self.streams.items()
            },
            {name: moved(tensor) for name, tensor in self.spatial.items()},
            {name: moved(tensor) for name, tensor in self.vectors.items()},
        )


def stacked(conditions: Sequence[Condition]) -> Condition:
    """Return the conditions as one, their rows one after the other.

    A stream that is shorter in one of them is padded under a mask; a stream or vector that one of
    them lacks is wholly masked, or zero, in its rows.

    Raises:
        ConditionError: a spatial part is missing from one of them (it has no neutral value).
    """
    import torch

    if len(conditions) == 1:
        return conditions[0]
    rows = [condition.batch or 0 for condition in conditions]
    streams = {
        name: _stacked_stream([c.streams.get(name) for c in conditions], rows)
        for name in _names(condition.streams for condition in conditions)
    }
    vectors = {}
    for name in _names(condition.vectors for condition in conditions):
        model = next(c.vectors[name] for c in conditions if name in c.vectors)
        vectors[name] = torch.cat(
            [
                c.vectors.get(name, model.new_zeros(b, model.shape[1]))
                for c, b in zip(conditions, rows, strict=True)
            ]
        )
    spatial = {}
    for name in _names(condition.spatial for condition in conditions):
        if any(name not in condition.spatial for condition in conditions):
            raise ConditionError(f"spatial part '{name}' is missing from one of the conditions")
        spatial[name] = torch.cat([condition.spatial[name] for condition in conditions])
    return Condition(streams, spatial, vectors)


def chosen(keep: "Tensor", part: Part, other: Part) -> Part:
    """Return the rows of `part` where `keep` (B,) bool is true, of `other` elsewhere.

    This is how training drops a condition: `other` is then its null part.
    """
    import torch

    def rows(a: "Tensor | None", b: "Tensor | None") -> "Tensor | None":
        if a is None or b is None:
            return None
        return torch.where(keep.view(-1, *[1] * (a.ndim - 1)), a, b)

    stream = part.stream
    if part.stream is not None and other.stream is not None:
        n = max(part.stream.tokens.shape[1], other.stream.tokens.shape[1])
        a, b = part.stream.padded(n), other.stream.padded(n)
        mask = None
        if a.mask is not None or b.mask is not None:
            mask = rows(_mask(a), _mask(b))
        tokens = rows(a.tokens, b.tokens)
        assert tokens is not None
        stream = replace(a, tokens=tokens, mask=mask)
    return Part(stream, rows(part.spatial, other.spatial), rows(part.vector, other.vector))


def _stacked_stream(streams: Sequence[Stream | None], rows: Sequence[int]) -> Stream:
    import torch

    model = next(stream for stream in streams if stream is not None)
    absent = {
        b: Stream(
            model.tokens.new_zeros(b, 1, model.tokens.shape[2]),
            torch.zeros(b, 1, dtype=torch.bool, device=model.tokens.device),
        )
        for b, stream in zip(rows, streams, strict=True)
        if stream is None
    }
    present = [absent[b] if s is None else s for b, s in zip(rows, streams, strict=True)]
    n = max(stream.tokens.shape[1] for stream in present)
    padded = [stream.padded(n) for stream in present]
    masked = any(stream.mask is not None for stream in padded)
    return Stream(
        torch.cat([stream.tokens for stream in padded]),
        torch.cat([_mask(stream) for stream in padded]) if masked else None,
        _stacked_regions(padded),
        _stacked_scales(padded),
    )


def _mask(stream: Stream) -> "Tensor":
    import torch

    if stream.mask is not None:
        return stream.mask
    return torch.ones(stream.tokens.shape[:2], dtype=torch.bool, device=stream.tokens.device)


def _stacked_regions(streams: Sequence[Stream]) -> "Tensor | None":
    import torch

    model = next((stream.region for stream in streams if stream.region is not None), None)
    if model is None:
        return None
    return torch.cat(
        [
            s.region if s.region is not None else model.new_ones(len(s.tokens), *model.shape[1:])
            for s in streams
        ]
    )


def _stacked_scales(streams: Sequence[Stream]) -> "float | Tensor":
    import torch

    first = streams[0].scale
    if all(isinstance(stream.scale, float | int) and stream.scale == first for stream in streams):
        return first
    return torch.cat(
        [
            torch.as_tensor(s.scale, dtype=torch.float32, device=s.tokens.device).expand(
                len(s.tokens)
            )
            for s in streams
        ]
    )


def _names(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def _check(fits: bool, what: str, right: str, tensor: "Tensor") -> None:
    if not fits:
        raise ConditionError(
            f"{what} must be {right}, not {tensor.dtype} of shape {tuple(tensor.shape)}"
        )


def _check_device(what: str, value: Any, tokens: "Tensor") -> None:
    device = getattr(value, "device", tokens.device)
    if device != tokens.device:
        raise ConditionError(f"{what} is on {device}, the tokens are on {tokens.device}")
