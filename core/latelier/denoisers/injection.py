"""The shared cross-attention interface: how the streams of a condition enter a denoiser.

A native stream already has the context's width. A named stream has a learned projection and a
modality embedding of its own. All are concatenated along the tokens into one `Context`.

How much a stream counts, its strength, is scale times region, at each query (each place of the
latent grid). The logarithm of the strength is added to the attention logits of its tokens, which
weighs the streams against each other. Where even the strongest is below 1, the output is multiplied
by that strength, so that it falls to exactly zero as the last stream fades out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from latelier.contracts.condition import Condition, Stream
from latelier.contracts.configs import StreamSlot
from latelier.denoisers.vectors import named_layers
from latelier.nn.attention import MASKED

FAINTEST = 1e-8
"""Strengths below this count as 0."""


@dataclass(frozen=True, eq=False)
class Attended:
    """The context as one attention layer sees it.

    tokens: (B, N, D). bias: (B or 1, 1, Q or 1, N), added to the logits; None where all are 0.
    presence: (B or 1, Q or 1, 1) in 0..1, factor of the output; None where all are 1.
    """

    tokens: Tensor
    bias: Tensor | None = None
    presence: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Context:
    """Everything that is attended to in one forward pass: streams of one width, and their tokens.

    streams: after projection, in the order of concatenation. tokens: (B, N, D), theirs.
    """

    streams: tuple[Stream, ...]
    tokens: Tensor
    _seen: dict[tuple[int, int] | None, Attended] = field(default_factory=dict)

    @classmethod
    def of(cls, streams: tuple[Stream, ...]) -> "Context | None":
        """Return the context of streams of one width; None where there are none."""
        if not streams:
            return None
        tokens = [stream.tokens for stream in streams]
        return cls(streams, tokens[0] if len(tokens) == 1 else torch.cat(tokens, dim=1))

    def at(self, grid: tuple[int, int]) -> Attended:
        """Return what a layer on a `grid` (h, w) attends to.

        Worked out once for each grid; without regions, once in all.
        """
        key = grid if any(stream.region is not None for stream in self.streams) else None
        attended = self._seen.get(key)
        if attended is None:
            attended = self._seen[key] = self._attended(grid)
        return attended

    def _attended(self, grid: tuple[int, int]) -> Attended:
        if all(_is_everywhere(stream) for stream in self.streams):
            return Attended(self.tokens)
        strengths = [_token_strengths(stream, grid) for stream in self.streams]
        queries = max(strength.shape[1] for strength in strengths)
        strength = torch.cat([s.expand(-1, queries, -1) for s in strengths], dim=2)
        bias = strength.clamp_min(FAINTEST).log().masked_fill(strength < FAINTEST, MASKED)
        presence = strength.amax(dim=2, keepdim=True).clamp_max(1)
        presence = presence.masked_fill(presence < FAINTEST, 0)
        dtype = self.tokens.dtype
        return Attended(self.tokens, bias[:, None].to(dtype), presence.to(dtype))


def stream_layers(
    slots: Mapping[str, StreamSlot], context_dim: int | None
) -> tuple[nn.ModuleDict, nn.ParameterDict]:
    """Return a projection and a modality embedding for each named stream among `slots`."""
    widths = {name: slot.width for name, slot in slots.items() if slot.injection == "named"}
    width = context_dim or 0
    projections = named_layers({name: nn.Linear(given, width) for name, given in widths.items()})
    embeddings = nn.ParameterDict(
        {name: nn.Parameter(nn.init.normal_(torch.empty(width), std=0.02)) for name in widths}
    )
    return projections, embeddings


def injected(
    condition: Condition,
    slots: Mapping[str, StreamSlot],
    projections: nn.ModuleDict,
    embeddings: nn.ParameterDict,
) -> Context | None:
    """Return the context of a condition: its streams in the order of `slots`.

    projections and embeddings hold one entry for each named stream. A stream that is absent, has
    no tokens, or whose scale is the number 0, is left out.
    """
    streams = []
    for name, slot in slots.items():
        stream = condition.streams.get(name)
        if stream is None or not counts(stream):
            continue
        if slot.injection == "named":
            tokens = projections[name](stream.tokens) + embeddings[name]
            stream = replace(stream, tokens=tokens)
        streams.append(stream)
    return Context.of(tuple(streams))


def counts(stream: Stream) -> bool:
    """Return whether a stream has tokens, and a scale that is not the number 0."""
    return stream.tokens.shape[1] > 0 and not _is_number(stream.scale, 0)


def _is_everywhere(stream: Stream) -> bool:
    """Return whether every token counts fully at every query."""
    return stream.mask is None and stream.region is None and _is_number(stream.scale, 1)


def _is_number(scale: float | Tensor, number: float) -> bool:
    return isinstance(scale, float | int) and scale == number


def _token_strengths(stream: Stream, grid: tuple[int, int]) -> Tensor:
    """Return how much each token counts at each query: (B, Q or 1, N) float32, 0 or more."""
    b, n, _ = stream.tokens.shape
    strength = torch.ones(b, 1, n, device=stream.tokens.device)
    if isinstance(stream.scale, Tensor):
        strength = strength * stream.scale.float().view(b, 1, 1)
    elif stream.scale != 1:
        strength = strength * stream.scale
    if stream.mask is not None:
        strength = strength * stream.mask[:, None]
    if stream.region is not None:
        region = adaptive_avg_pool2d(stream.region.float(), grid)
        strength = strength * region.view(b, -1, 1)
    return strength
