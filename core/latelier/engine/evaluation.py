"""Work of several runs, done so that the fault of one does not reach the others."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch

from latelier.engine.work import Work
from latelier.nn.memory import is_out_of_memory

T = TypeVar("T")


def evaluate(group: Sequence[Work[Any, T]]) -> list[T | BaseException]:
    """Return the result of each work of a group, or its error.

    A group that fails is done again one by one, so that only the work at fault fails.
    """
    results = attempt(lambda: group[0].compute([each.argument for each in group]))
    if not isinstance(results, BaseException):
        return list(results)
    if len(group) == 1:
        return [results]
    return [outcome for each in group for outcome in evaluate([each])]


def attempt(work: Callable[[], T]) -> T | BaseException:
    """Return the result of some work, or its error. Work that lacks memory is tried once more.

    Any error is returned, also the SystemExit of a plugin: it ends a run and not the device.
    """
    try:
        return work()
    except BaseException as error:
        if not is_out_of_memory(error):
            return error
    _release_memory()
    try:
        return work()
    except BaseException as error:
        return error


def _release_memory() -> None:
    """Return cached memory to the device, after the error that still held tensors is gone."""
    if torch.accelerator.is_available():
        torch.accelerator.empty_cache()
