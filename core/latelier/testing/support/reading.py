"""How the kit compares the parts of conditions: as a denoiser that supports masks sees them."""

from collections.abc import Mapping

import torch
from torch import Tensor

from latelier.contracts.condition import ConditionPart, Stream

QUERIES = 5


def part_tensors(part: ConditionPart, prefix: str = "") -> dict[str, Tensor]:
    """Return every tensor of a part, masks and regions too, by the name of its slot."""
    stream = {} if part.stream is None else vars(part.stream)
    slots = {
        **{f"stream.{name}": value for name, value in stream.items()},
        "spatial": part.spatial,
        "vector": part.vector,
    }
    return {f"{prefix}{name}": value for name, value in slots.items() if isinstance(value, Tensor)}


def active_tokens(stream: Stream, row: int) -> Tensor:
    """Return the tokens (n, D) of a row that are not masked."""
    tokens = stream.tokens[row]
    return tokens if stream.mask is None else tokens[stream.mask[row]]


def attend_part(part: ConditionPart) -> Mapping[str, Tensor]:
    """Return what a small denoiser computes from each slot, in float64.

    A few fixed queries attend to a stream; masked tokens have no weight.
    """
    slots = part_tensors(part).items()
    outputs = {name: tensor.double() for name, tensor in slots if "stream" not in name}
    if part.stream is not None:
        outputs["stream"] = _attend(part.stream)
    return outputs


def _attend(stream: Stream) -> Tensor:
    """Return (B, Q, D); zeros for a row whose tokens are all masked."""
    tokens = stream.tokens.double()
    queries = torch.randn(
        QUERIES, tokens.shape[2], generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    logits = queries @ tokens.mT / tokens.shape[2] ** 0.5  # (B, Q, N)
    if stream.mask is not None:
        tokens = tokens.masked_fill(~stream.mask[..., None], 0.0)
        logits = logits.masked_fill(~stream.mask[:, None], -torch.inf)
    return logits.softmax(-1).nan_to_num() @ tokens  # NaN: the softmax of an empty row
