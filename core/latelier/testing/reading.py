"""What a denoiser that supports masks gets out of the part of a condition."""

from collections.abc import Mapping

import torch
from torch import Tensor

from latelier.contracts.condition import ConditionPart, Stream

QUERIES = 5


def tensors_of(part: ConditionPart, prefix: str = "") -> dict[str, Tensor]:
    """Return every tensor of a part, masks and regions too, by its place."""
    stream = {} if part.stream is None else vars(part.stream)
    slots = {
        **{f"stream.{name}": each for name, each in stream.items()},
        "spatial": part.spatial,
        "vector": part.vector,
    }
    return {f"{prefix}{name}": each for name, each in slots.items() if isinstance(each, Tensor)}


def counting(stream: Stream, row: int) -> Tensor:
    """Return the tokens (n, D) of a row that count."""
    tokens = stream.tokens[row]
    return tokens if stream.mask is None else tokens[stream.mask[row]]


def read(part: ConditionPart) -> Mapping[str, Tensor]:
    """Return for each slot what a small denoiser sees of it, in float64.

    A stream is attended to by a few fixed queries; tokens that its mask hides have no weight.
    """
    seen = {name: each.double() for name, each in tensors_of(part).items() if "stream" not in name}
    if part.stream is not None:
        seen["stream"] = _attended(part.stream)
    return seen


def _attended(stream: Stream) -> Tensor:
    """Return (B, Q, D); zeros for a row of which no token counts."""
    tokens = stream.tokens.double()
    queries = torch.randn(
        QUERIES, tokens.shape[2], generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    logits: Tensor = queries @ tokens.mT / tokens.shape[2] ** 0.5  # (B, Q, N)
    mask = stream.mask
    if mask is not None:
        tokens = tokens.masked_fill(~mask[..., None], 0.0)
        logits = logits.masked_fill(~mask[:, None], -torch.inf)
    attended: Tensor = logits.softmax(-1).nan_to_num() @ tokens  # a row of nothing is not a number
    return attended
