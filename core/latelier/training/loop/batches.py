"""The micro-batches of each step, loaded by worker processes."""

import signal
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader, Sampler

from latelier.training.loop.interruption import SIGNALS
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.run import Run
from latelier.training.loop.split import BatchSplit

T = TypeVar("T")


def load_batches(plan: TrainingPlan, run: Run, first_step: int) -> Iterator[Sequence[Any]]:
    """Yield this process's micro-batches of each remaining step."""
    config, split = run.config, run.split
    loader: DataLoader[Any] = DataLoader(
        plan.dataset,
        batch_sampler=_MicroBatches(split, first_step, config.steps),
        collate_fn=plan.objective.collate,
        num_workers=config.workers,
        worker_init_fn=_ignore_signals,
        pin_memory=run.fabric.device.type == "cuda",
        generator=torch.Generator(),  # workers' seeds; without it the global state would be used
    )
    return group(loader, split.accumulate)


def _ignore_signals(worker: int) -> None:  # noqa: ARG001 - the signature is torch's
    """Ignore what asks a run to stop: it reaches all processes, and only the first may obey.

    A data worker that ends by itself would be an error of the run, which could not save its state.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


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
