"""Where runs meet the device: their work waits here, is taken in groups, and its results return.

What a run does between two calls is short and mostly Python, which runs one thread at a time: runs
that compete with each other, or with the device, spend more time on switching than on work. So the
results of a group are handed out one by one, each when the run before has brought its next work,
and the device waits for the last one. A run that is slow delays the others once: then all go on.
"""

import threading
import time
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from latelier.contracts.errors import EngineError
from latelier.engine.openmp import release_team
from latelier.engine.work import Work

R = TypeVar("R")

MAX_TURN = 0.005
"""Seconds after which a run is slow."""

ARRIVAL = 0.002
"""Seconds for which a device without other work waits for the next new run, after each of them."""


@dataclass(eq=False)
class Waiting:
    """Work that waits for the device.

    Attributes:
        work: what is to be done.
        run: whose work it is; None: of nobody who will bring more.
        is_first: whether the run has just begun.
    """

    work: Work[Any, Any]
    run: Hashable
    is_first: bool

    def __post_init__(self) -> None:
        self._is_done = threading.Lock()  # of all means to wait for a thread it is the fastest
        self._is_done.acquire()
        self._outcome: object = None

    def finish(self, outcome: object) -> None:
        """Set the result, or the error that there is in place of it."""
        self._outcome = outcome
        self._is_done.release()

    def result(self) -> Any:
        """Wait for the result and return it, or raise the error."""
        self._is_done.acquire()
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome


class Batcher:
    """Hands the work of many runs to one device, and the results back."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[Waiting] = []
        self._done: deque[tuple[Waiting, object]] = deque()
        self._turn: Hashable = None
        self._turn_end = 0.0
        self._runs: set[Hashable] = set()
        self._last_arrival = 0.0
        self._stop_reason: str | None = None

    @property
    def is_closed(self) -> bool:
        """Whether no more work is done."""
        return self._stop_reason is not None

    def compute(self, work: Work[Any, R], run: Hashable = None) -> R:
        """Return the result of the work of a run, done by the device in some group.

        Raises:
            EngineError: the device has stopped.
        """
        with self._changed:
            if self._stop_reason is not None:
                raise EngineError(self._stop_reason)
            waiting = Waiting(work, run, is_first=run not in self._runs)
            if waiting.is_first and run is not None:
                self._runs.add(run)
                self._last_arrival = time.monotonic()
            self._waiting.append(waiting)
            self._end_turn(run)
        result: R = waiting.result()
        return result

    def leave(self, run: Hashable) -> None:
        """Expect no more work of a run."""
        with self._changed:
            self._runs.discard(run)
            self._end_turn(run)

    def take(self) -> list[Waiting]:
        """Wait for work and return it: the oldest, and what can be done together with it.

        This is the oldest of its key, up to its most rows. The list is empty once the batcher is
        closed.
        """
        with self._changed:
            while not self.is_closed:
                if (delay := self._delay()) > 0:
                    self._changed.wait(delay)
                    continue
                self._hand_out_all()
                if self._waiting:
                    break
                release_team()  # a device without work does not slow down other threads
                self._changed.wait()
            group = list(self._oldest_group())
            taken = set(group)
            self._waiting = [each for each in self._waiting if each not in taken]
            return group

    def deliver(self, group: Sequence[Waiting], outcomes: Sequence[object]) -> None:
        """Hand out the outcomes of a group, one after the other."""
        with self._changed:
            self._done.extend(zip(group, outcomes, strict=True))
            if self.is_closed:
                self._hand_out_all()
            else:
                self._hand_out()

    def close(self, reason: str) -> None:
        """Refuse further work, and fail what waits."""
        with self._changed:
            self._stop_reason = reason
            self._hand_out_all()
            for waiting in self._waiting:
                waiting.finish(EngineError(reason))
            self._waiting.clear()
            self._changed.notify_all()

    def _end_turn(self, run: Hashable) -> None:
        """Let the next run go on, if it was this one's turn, and the device after the last."""
        if self._turn is run:
            self._turn = None
            self._hand_out()
        if self._turn is None:
            self._changed.notify_all()

    def _hand_out(self) -> None:
        """Hand out the results of the next run, and begin its turn."""
        while self._done and self._turn in (None, self._done[0][0].run):
            waiting, outcome = self._done.popleft()
            self._turn, self._turn_end = waiting.run, time.monotonic() + MAX_TURN
            waiting.finish(outcome)

    def _hand_out_all(self) -> None:
        while self._done:
            self._turn = None
            self._hand_out()
        self._turn = None

    def _delay(self) -> float:
        """Return the seconds for which the device waits for runs that will soon bring work."""
        now = time.monotonic()
        if self._turn is not None:
            return self._turn_end - now
        if all(each.is_first for each in self._waiting):
            return self._last_arrival + ARRIVAL - now
        return 0

    def _oldest_group(self) -> Iterator[Waiting]:
        if not self._waiting:
            return
        first, *others = self._waiting
        yield first
        left = first.work.most_rows - first.work.rows
        for other in others:
            if other.work.key == first.work.key and other.work.rows <= left:
                left -= other.work.rows
                yield other
