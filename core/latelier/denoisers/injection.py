"""The shared cross-attention interface: how the streams of a condition enter a denoiser.

A native stream already has the context's width. A named stream has a learned projection and a
modality embedding. All streams are concatenated along the tokens into one `Context`.

The strength of a token is its stream's scale times its stream's region, at each query (each
position of the latents). The logarithm of the strength is added to the attention logits, which
weighs the streams against each other. Where even the strongest token is below 1, the output is
multiplied by its strength, the gate, so that it falls to exactly zero as the last stream fades out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from latelier.contracts.condition import Stream
from latelier.denoisers.configs import ConditionedConfig
from latelier.nn.attention import MASKED
from latelier.nn.module import to_module_dict
from latelier.nn.packed import Linear

MIN_STRENGTH = 1e-8
"""A weaker token is masked."""


@dataclass(frozen=True, eq=False)
class LayerContext:
    """The context of one attention layer.

    Attributes:
        tokens: (B, N, D).
        bias: (B or 1, 1, Q or 1, N), added to the logits; None where it would be 0.
        gate: (B or 1, Q or 1, 1) in 0..1, multiplies the output; None where it would be 1.
    """

    tokens: Tensor
    bias: Tensor | None = None
    gate: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Context:
    """The cross-attended context of one forward pass.

    Attributes:
        streams: all of one width, after projection, in the order of concatenation.
        tokens: (B, N, D), those of the streams.
    """

    streams: tuple[Stream, ...]
    tokens: Tensor
    _by_size: dict[tuple[int, int] | None, LayerContext] = field(default_factory=dict)

    @classmethod
    def of(cls, *streams: Stream) -> "Context":
        """Return the context of one or more streams."""
        tokens = [stream.tokens for stream in streams]
        return cls(streams, tokens[0] if len(tokens) == 1 else torch.cat(tokens, dim=1))

    def for_layer(self, size: tuple[int, int]) -> LayerContext:
        """Return the context of a layer whose queries are the positions of a map of size (h, w).

        It is computed once for each size; without regions, once in all.
        """
        key = size if any(stream.region is not None for stream in self.streams) else None
        found = self._by_size.get(key)
        if found is None:
            found = self._by_size[key] = self._weigh(size)
        return found

    def _weigh(self, size: tuple[int, int]) -> LayerContext:
        if all(_has_full_strength(stream) for stream in self.streams):
            return LayerContext(self.tokens)
        strengths = [_token_strengths(stream, size) for stream in self.streams]
        queries = max(strength.shape[1] for strength in strengths)
        strength = torch.cat([s.expand(-1, queries, -1) for s in strengths], dim=2)  # (B, Q, N)
        bias = strength.clamp_min(MIN_STRENGTH).log().masked_fill(strength < MIN_STRENGTH, MASKED)
        gate = strength.amax(dim=2, keepdim=True).clamp_max(1)
        gate = gate.masked_fill(gate < MIN_STRENGTH, 0)
        dtype = self.tokens.dtype
        return LayerContext(self.tokens, bias[:, None].to(dtype), gate.to(dtype))


def build_stream_layers(config: ConditionedConfig) -> tuple[nn.ModuleDict, nn.ParameterDict]:
    """Return a projection and a modality embedding for each named stream."""
    width = config.context_dim or 0
    named = {name: slot for name, slot in config.streams.items() if slot.injection == "named"}
    projections = to_module_dict({name: Linear(slot.width, width) for name, slot in named.items()})
    embeddings = nn.ParameterDict(
        {name: nn.Parameter(nn.init.normal_(torch.empty(width), std=0.02)) for name in named}
    )
    return projections, embeddings


def build_context(
    streams: Mapping[str, Stream],
    config: ConditionedConfig,
    projections: nn.ModuleDict,
    embeddings: nn.ParameterDict,
) -> Context | None:
    """Return the context of streams in the configured order; None where no stream is active.

    projections, embeddings: of `build_stream_layers`.
    """
    active = []
    for name, slot in config.streams.items():
        stream = streams.get(name)
        if stream is None or not is_active(stream):
            continue
        if slot.injection == "named":
            tokens = projections[name](stream.tokens) + embeddings[name]
            stream = replace(stream, tokens=tokens)
        active.append(stream)
    return Context.of(*active) if active else None


def is_active(stream: Stream) -> bool:
    """Return whether a stream has tokens, and a scale other than the number 0."""
    return stream.tokens.shape[1] > 0 and not _is_number(stream.scale, 0)


def _has_full_strength(stream: Stream) -> bool:
    return stream.mask is None and stream.region is None and _is_number(stream.scale, 1)


def _is_number(scale: float | Tensor, number: float) -> bool:
    return isinstance(scale, float | int) and scale == number


def _token_strengths(stream: Stream, size: tuple[int, int]) -> Tensor:
    """Return the strength of each token at each query: (B, Q or 1, N) float32, 0 or more."""
    b, n, _ = stream.tokens.shape
    strength = torch.ones(b, 1, n, device=stream.tokens.device)
    if isinstance(stream.scale, Tensor):
        strength = strength * stream.scale.float().view(b, 1, 1)
    elif stream.scale != 1:
        strength = strength * stream.scale
    if stream.mask is not None:
        strength = strength * stream.mask[:, None]
    if stream.region is not None:
        region = adaptive_avg_pool2d(stream.region.float(), size)
        strength = strength * region.view(b, -1, 1)  # (B, 1, h, w) -> (B, h * w, 1)
    return strength
