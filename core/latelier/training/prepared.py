"""Inputs that a conditioner has prepared for samples, joined again in their batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class PreparedRow:
    """What a conditioner has prepared for a sample.

    Attributes:
        batch: For all samples that were prepared together; the first axis is the sample.
        number: Of the sample among them.
    """

    batch: Mapping[str, Tensor]
    number: int

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the sample, with a batch axis of 1."""
        return {key: each[self.number : self.number + 1] for key, each in self.batch.items()}


def list_rows(batch: Mapping[str, Tensor], count: int) -> list[PreparedRow]:
    """Return the rows of a batch of `count` samples."""
    return [PreparedRow(batch, number) for number in range(count)]


def join_rows(rows: Sequence[PreparedRow | None]) -> Mapping[str, Tensor] | None:
    """Return the batch of rows; None if one is missing, or shorter ones had to be padded."""
    known = [row for row in rows if row is not None]
    if not known or len(known) < len(rows):
        return None
    batch = known[0].batch
    are_together = all(row.batch is batch and row.number == k for k, row in enumerate(known))
    if are_together and all(len(tensor) == len(rows) for tensor in batch.values()):
        return batch
    each = [row.tensors() for row in known]
    shapes = [{key: tensor.shape for key, tensor in tensors.items()} for tensors in each]
    if any(shape != shapes[0] for shape in shapes):
        return None
    return {key: torch.cat([tensors[key] for tensors in each]) for key in each[0]}
