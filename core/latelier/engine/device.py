"""The thread that owns the device: it calls the denoiser and the first stage for all runs."""

import logging
import time
from collections.abc import Sequence

import torch

from latelier.diffusion.calls import DenoiserCall
from latelier.engine.batcher import Batcher, Waiting
from latelier.engine.evaluation import Evaluator, Outcome, attempt
from latelier.engine.stats import CallCounts

_log = logging.getLogger(__name__)


class Device:
    """Does the work that runs hand to a batcher, until it is closed.

    Attributes:
        counts: of the calls so far.
    """

    def __init__(self, batcher: Batcher, evaluator: Evaluator) -> None:
        self.counts = CallCounts()
        self._batcher = batcher
        self._evaluator = evaluator

    def serve(self) -> None:
        """Work until the batcher is closed. If this fails, close it, so that no run waits."""
        torch.get_num_threads()  # only this call applies torch.set_num_threads to a new thread
        try:
            with torch.no_grad():
                while self._serve_next():
                    pass
        except BaseException as error:
            _log.exception("the engine has stopped")
            self._batcher.close(f"the engine has stopped: {error!r}")

    def _serve_next(self) -> bool:
        """Do the next work. Return False if there is none because the batcher is closed."""
        group = self._batcher.take()
        try:
            calls = [each.work for each in group if isinstance(each.work, DenoiserCall)]
            tasks = [each.work for each in group if not isinstance(each.work, DenoiserCall)]
            outcomes = self._evaluate(group, calls) if calls else map(attempt, tasks)
            _deliver(group, list(outcomes))
        except BaseException as error:
            _deliver(group, [error] * len(group))
            raise
        return bool(group)

    def _evaluate(self, group: Sequence[Waiting], calls: Sequence[DenoiserCall]) -> list[Outcome]:
        start = time.perf_counter()
        outcomes = self._evaluator.evaluate(calls)
        seconds = time.perf_counter() - start
        self.counts = self.counts.plus(sum(call.rows for call in calls), seconds)
        self._batcher.expect(group, seconds)
        return outcomes


def _deliver(group: Sequence[Waiting], outcomes: Sequence[object]) -> None:
    for waiting, outcome in zip(group, outcomes, strict=True):
        if waiting.result.done():
            continue
        if isinstance(outcome, BaseException):
            waiting.result.set_exception(outcome)
        else:
            waiting.result.set_result(outcome)
