"""Work of several runs, done so that the fault of one does not reach the others."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from latelier.contracts.components import Denoiser
from latelier.diffusion.calls import DenoiserCall, join_calls, select_rows
from latelier.engine.row_limit import RowLimit
from latelier.nn.memory import is_out_of_memory

T = TypeVar("T")

Outcome = Tensor | BaseException
"""The prediction for a call, or why there is none."""


class Evaluator:
    """Calls a denoiser for several calls at once.

    A shared call that fails is repeated call by call, so that only the one at fault fails. One that
    runs out of memory is divided, and later ones have fewer rows.

    Args:
        denoiser: the network.
        limit: is lowered where memory is too small.
        is_divisible: whether calls may be divided. Where rows are fixed they may not.
    """

    def __init__(self, denoiser: Denoiser, limit: RowLimit, *, is_divisible: bool) -> None:
        self._denoiser = denoiser
        self._limit = limit
        self._is_divisible = is_divisible

    def evaluate(self, calls: Sequence[DenoiserCall]) -> list[Outcome]:
        """Return the outcome of each call."""
        rows = sum(call.rows for call in calls)
        predictions = attempt(lambda: self._predict(calls))
        if isinstance(predictions, list):
            return predictions
        if is_out_of_memory(predictions) and rows > 1 and self._is_divisible:
            self._limit.lower(rows)
            return self._divide(calls)
        if len(calls) == 1 or is_out_of_memory(predictions):
            return [predictions] * len(calls)
        return [outcome for call in calls for outcome in self.evaluate([call])]

    def _predict(self, calls: Sequence[DenoiserCall]) -> list[Outcome]:
        prediction = join_calls(calls).run(self._denoiser)
        return list(torch.split(prediction, [call.rows for call in calls]))

    def _divide(self, calls: Sequence[DenoiserCall]) -> list[Outcome]:
        """Return the outcomes of calls that are too large together: each half on its own."""
        if len(calls) > 1:
            half = len(calls) // 2
            return [*self.evaluate(calls[:half]), *self.evaluate(calls[half:])]
        (call,) = calls
        halves = torch.arange(call.rows, device=call.x.device).chunk(2)
        outcomes = [self.evaluate([select_rows(call, rows)])[0] for rows in halves]
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                return [outcome]
        return [torch.cat([each for each in outcomes if isinstance(each, Tensor)])]


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
