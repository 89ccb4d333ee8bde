"""Where runs meet the device: their calls wait here, and are taken in groups.

A run that has just received a result will soon call again, so a group waits for it: until it calls,
leaves, or has been away for longer than the patience. Nothing else delays a group, so a run that
fails, ends or never calls again delays the others once, by the patience.
"""

import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from math import inf
from typing import Any

from torch import Tensor

from latelier.contracts.errors import EngineError
from latelier.diffusion.calls import DenoiserCall
from latelier.engine.row_limit import RowLimit

MAX_PATIENCE = 0.01
"""Most seconds that a group waits for a run."""

PATIENCE = 0.25
"""Share of the time of the last group that the next one waits for a run."""

Task = Callable[[], Any]
"""Other work for the device, such as decoding."""


@dataclass(frozen=True, eq=False)
class Waiting:
    """Work that waits for the device.

    Attributes:
        work: a call of the denoiser, or a task, which goes alone.
        run: whose call it is.
        key: what the calls of a group have in common.
        result: the outcome.
    """

    work: DenoiserCall | Task
    run: Hashable = None
    key: Hashable = None
    result: Future[Any] = field(default_factory=Future)

    @property
    def rows(self) -> int:
        """Rows of the call; 0 of a task."""
        return self.work.rows if isinstance(self.work, DenoiserCall) else 0


class Batcher:
    """Hands the work of many runs to one device.

    Args:
        limit: of the rows of a group.
        key_of: returns what the calls of a group have in common.
    """

    def __init__(self, limit: RowLimit, key_of: Callable[[DenoiserCall], Hashable]) -> None:
        self._limit = limit
        self._key_of = key_of
        self._changed = threading.Condition()
        self._waiting: list[Waiting] = []
        self._answered: dict[Hashable, float] = {}
        self._patience = MAX_PATIENCE
        self._stop_reason: str | None = None

    def call(self, run: Hashable, call: DenoiserCall) -> Tensor:
        """Return the prediction for a call of a run, computed by the device in some group.

        Raises:
            EngineError: the device has stopped.
        """
        waiting = Waiting(call, run, self._key_of(call))
        with self._changed:
            self._answered.pop(run, None)
        prediction: Tensor = self._wait_for(waiting)
        return prediction

    def perform(self, task: Task) -> Any:
        """Return the result of a task, performed by the device or, once closed, by the caller."""
        return task() if self._stop_reason is not None else self._wait_for(Waiting(task))

    def leave(self, run: Hashable) -> None:
        """Expect no more calls of a run."""
        with self._changed:
            self._answered.pop(run, None)
            self._changed.notify_all()

    def take(self) -> list[Waiting]:
        """Wait for work and return it: the oldest, and the calls that can share its call.

        They are the oldest of its key, up to the limit of rows. The list is empty once the batcher
        is closed.
        """
        with self._changed:
            while (delay := self._delay()) > 0:
                self._changed.wait(None if delay == inf else delay)
            group = list(self._oldest_group())
            taken = set(group)
            self._waiting = [each for each in self._waiting if each not in taken]
            return group

    def expect(self, group: Sequence[Waiting], seconds: float) -> None:
        """Expect the next calls of the runs of a group, which took `seconds`."""
        with self._changed:
            self._patience = min(MAX_PATIENCE, PATIENCE * seconds)
            now = time.monotonic()
            self._answered.update({waiting.run: now for waiting in group})

    def close(self, reason: str) -> None:
        """Refuse further work, and fail what waits."""
        with self._changed:
            self._stop_reason = reason
            for waiting in self._waiting:
                waiting.result.set_exception(EngineError(reason))
            self._waiting.clear()
            self._changed.notify_all()

    def _wait_for(self, waiting: Waiting) -> Any:
        with self._changed:
            if self._stop_reason is not None:
                raise EngineError(self._stop_reason)
            self._waiting.append(waiting)
            self._changed.notify_all()
        return waiting.result.result()

    def _delay(self) -> float:
        """Return the seconds for which the device waits now, unless something changes."""
        if self._stop_reason is not None:
            return 0
        if not self._waiting:
            return inf
        if self._is_full():
            return 0
        latest = max(self._answered.values(), default=-inf)
        return latest + self._patience - time.monotonic()

    def _is_full(self) -> bool:
        """Return whether nothing more could join the oldest."""
        first = self._waiting[0]
        if not isinstance(first.work, DenoiserCall):
            return True
        rows = sum(each.rows for each in self._waiting if each.key == first.key)
        return rows >= self._limit.of(*first.work.x.shape[2:])

    def _oldest_group(self) -> Iterator[Waiting]:
        if not self._waiting:
            return
        first, *others = self._waiting
        yield first
        if not isinstance(first.work, DenoiserCall):
            return
        left = self._limit.of(*first.work.x.shape[2:]) - first.rows
        for other in others:
            if other.key == first.key and other.rows <= left:
                left -= other.rows
                yield other
