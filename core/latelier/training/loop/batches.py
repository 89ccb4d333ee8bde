"""The micro-batches of each step, and the share of them that a process takes.

A training is a sequence of positions: step * batch_size + row. Random numbers are functions of the
position, so weights do not depend on how the rows of a step are split.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader, Sampler

from latelier.contracts.errors import InvalidConfigError
from latelier.training.loop.plan import TrainingPlan

T = TypeVar("T")


@dataclass(frozen=True)
class BatchSplit:
    """How the global batch of a step is split among processes, and then into micro-batches.

    Attributes:
        batch_size: Samples of one step, of all processes together.
        accumulate: Micro-batches of each process.
        ranks: Number of processes.
        rank: This process, from 0.
    """

    batch_size: int
    accumulate: int = 1
    ranks: int = 1
    rank: int = 0

    def __post_init__(self) -> None:
        parts = self.ranks * self.accumulate
        if self.batch_size % parts:
            raise InvalidConfigError(
                f"batch_size: {self.batch_size} cannot be split evenly among {self.ranks} "
                f"processes with {self.accumulate} micro-batches each (accumulate); "
                f"expected a multiple of {parts}"
            )

    @property
    def micro_batch_size(self) -> int:
        """Samples of one micro-batch."""
        return self.batch_size // (self.ranks * self.accumulate)

    def select_positions(self, step: int) -> list[list[int]]:
        """Return the positions of each micro-batch of this process in a step.

        The process takes every `ranks`-th row, so that all get equal shares of a sorted batch.
        """
        first = step * self.batch_size
        rows = range(first + self.rank, first + self.batch_size, self.ranks)
        size = self.micro_batch_size
        return [list(rows[start : start + size]) for start in range(0, len(rows), size)]


def load_batches(
    plan: TrainingPlan, split: BatchSplit, first_step: int, device: torch.device
) -> Iterator[Sequence[Any]]:
    """Yield the micro-batches of each remaining step."""
    config = plan.config
    loader: DataLoader[Any] = DataLoader(
        plan.dataset,
        batch_sampler=_MicroBatches(split, first_step, config.steps),
        collate_fn=plan.objective.collate,
        num_workers=config.workers,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # workers' seeds; without it the global state would be used
    )
    return group(loader, split.accumulate)


def group(items: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    """Yield lists of `size` successive items; items that do not fill a list are dropped."""
    iterator = iter(items)
    while len(items_of_step := list(islice(iterator, size))) == size:
        yield items_of_step


class _MicroBatches(Sampler[list[int]]):
    """The positions of each micro-batch of the remaining steps."""

    def __init__(self, split: BatchSplit, first_step: int, steps: int) -> None:
        self._split = split
        self._steps = range(first_step, steps)

    def __iter__(self) -> Iterator[list[int]]:
        for step in self._steps:
            yield from self._split.select_positions(step)

    def __len__(self) -> int:
        return len(self._steps) * self._split.accumulate
