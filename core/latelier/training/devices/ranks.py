"""What the processes of a training tell each other. Rank 0 is the first process."""

from collections.abc import Callable
from typing import TypeVar

import torch
from lightning_fabric import Fabric
from torch import Tensor

from latelier.contracts.errors import LatelierError

T = TypeVar("T")

_ERROR_STATUS = 2


def call_on_first_rank(fabric: Fabric, function: Callable[[], T]) -> T:
    """Call `function` in the first process, and return its value in all.

    Its error ends all processes; the first reports it.
    """
    if fabric.world_size == 1:
        return function()
    outcome: list[T | LatelierError] = []
    if fabric.is_global_zero:
        try:
            outcome.append(function())
        except LatelierError as error:
            outcome.append(error)
    (value,) = fabric.broadcast(outcome)
    if isinstance(value, LatelierError):
        raise error_for_rank(fabric, value)
    return value


def error_for_rank(fabric: Fabric, error: LatelierError) -> BaseException:
    """Return what a process raises for an error that all have: only the first one shows it."""
    return error if fabric.is_global_zero else SystemExit(_ERROR_STATUS)


def try_together(fabric: Fabric, function: Callable[[], object], *, first_only: bool) -> None:
    """Call a function that writes files, in the first process or in all.

    Raises:
        OSError: in every process, if it failed in any.
    """
    failure: OSError | None = None
    if fabric.is_global_zero or not first_only:
        try:
            function()
        except OSError as error:
            failure = error
    if is_true_anywhere(fabric, failure is not None):
        raise failure or OSError("another process could not write its files")


def is_true_anywhere(fabric: Fabric, flag: bool) -> bool:
    """Return whether a flag is true in any process."""
    if fabric.world_size == 1:
        return flag
    return sum_over_ranks(fabric, torch.tensor(float(flag), device=fabric.device)).item() > 0


def sum_over_ranks(fabric: Fabric, values: Tensor) -> Tensor:
    """Return the sum of the processes' tensors."""
    total = fabric.all_reduce(values, reduce_op="sum")
    assert isinstance(total, Tensor)
    return total


def collect(fabric: Fabric, items: list[T]) -> list[T]:
    """Return the items of all processes, in the order of their ranks."""
    if fabric.world_size == 1:
        return items
    gathered: list[list[T]] = [[] for _ in range(fabric.world_size)]
    torch.distributed.all_gather_object(gathered, items)
    return [item for part in gathered for item in part]
