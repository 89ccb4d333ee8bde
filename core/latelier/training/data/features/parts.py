"""Parts of conditions as tensors of single rows, and back.

The names of a row's tensors are

tokens   (N, D), of the stream, without masked tokens at its end
mask     (N,) bool, of the stream, if it has one
spatial  (C, h, w)
vector   (V,)
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from latelier.contracts.condition import ConditionPart, Stream
from latelier.contracts.errors import DataError

TOKENS, MASK, SPATIAL, VECTOR = "tokens", "mask", "spatial", "vector"


def split_part(part: ConditionPart, dtype: torch.dtype) -> list[dict[str, Tensor]]:
    """Return the tensors of each row of a part, numbers as `dtype`.

    Raises:
        DataError: a number does not fit into `dtype`.
    """
    tensors: dict[str, Tensor] = {}
    if part.stream is not None:
        tensors[TOKENS] = _convert(part.stream.tokens, dtype)
        if part.stream.mask is not None:
            tensors[MASK] = part.stream.mask.cpu()
    if part.spatial is not None:
        tensors[SPATIAL] = _convert(part.spatial, dtype)
    if part.vector is not None:
        tensors[VECTOR] = _convert(part.vector, dtype)
    rows = [{name: each[row] for name, each in tensors.items()} for row in range(part.batch)]
    return [{name: each.clone() for name, each in _trim(row).items()} for row in rows]


def stack_rows(rows: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the tensors of a batch; shorter streams are padded with masked tokens."""
    stacked: dict[str, Tensor] = {}
    if TOKENS in rows[0]:
        tokens = [row[TOKENS] for row in rows]
        lengths = {len(each) for each in tokens}
        stacked[TOKENS] = pad_sequence(tokens, batch_first=True)
        if len(lengths) > 1 or any(MASK in row for row in rows):
            masks = [row[MASK] if MASK in row else _attend_all(row[TOKENS]) for row in rows]
            stacked[MASK] = pad_sequence(masks, batch_first=True)
    for name in (SPATIAL, VECTOR):
        if name in rows[0]:
            stacked[name] = torch.stack([row[name] for row in rows])
    return stacked


def join_part(tensors: Mapping[str, Tensor]) -> ConditionPart:
    """Return the part of a batch's tensors, in float32."""
    stream = None
    if TOKENS in tensors:
        stream = Stream(tensors[TOKENS].float(), tensors.get(MASK))
    spatial, vector = (
        tensors[name].float() if name in tensors else None for name in (SPATIAL, VECTOR)
    )
    return ConditionPart(stream, spatial, vector)


def _trim(row: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a row without masked tokens at the end of its stream; one token stays at least."""
    if MASK not in row:
        return row
    length = int(row[MASK].nonzero().max()) + 1 if row[MASK].any() else 1
    return {**row, TOKENS: row[TOKENS][:length], MASK: row[MASK][:length]}


def _attend_all(tokens: Tensor) -> Tensor:
    return torch.ones(len(tokens), dtype=torch.bool)


def _convert(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    converted = tensor.to("cpu", dtype)
    if not converted.isfinite().all():
        raise DataError(
            f"data.cache.dtype: features up to {tensor.abs().max().item():.3g} do not fit into "
            f"{str(dtype).removeprefix('torch.')}; expected finite numbers, set it to float32"
        )
    return converted
