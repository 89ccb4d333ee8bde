"""Hands the work of many threads to the thread of the device, in the groups of a `Rendezvous`."""

import threading
from collections.abc import Hashable, Sequence
from typing import Any, TypeVar

from latelier.contracts.errors import EngineError
from latelier.engine.openmp import release_team
from latelier.engine.rendezvous import Rendezvous, Waiting
from latelier.engine.work import Work

R = TypeVar("R")


class Answer:
    """The outcome of some work, for which a thread waits."""

    def __init__(self) -> None:
        self._is_there = threading.Lock()  # of all means to wait for a thread it is the fastest
        self._is_there.acquire()
        self._outcome: object = None

    def set(self, outcome: object) -> None:
        """Set the result, or the error that there is in place of it."""
        self._outcome = outcome
        self._is_there.release()

    def get(self) -> Any:
        """Wait for the result and return it, or raise the error."""
        self._is_there.acquire()
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome


class Batcher:
    """Hands the work of many runs to one device, and the results back.

    Args:
        rendezvous: says what is done together, and for whom the device waits.
    """

    def __init__(self, rendezvous: Rendezvous) -> None:
        self._changed = threading.Condition()
        self._rendezvous = rendezvous
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
        answer = Answer()
        with self._changed:
            if self._stop_reason is not None:
                raise EngineError(self._stop_reason)
            self._rendezvous.bring(work, run, answer.set)
            self._wake_device()
        result: R = answer.get()
        return result

    def leave(self, run: Hashable) -> None:
        """Expect no more work of a run."""
        with self._changed:
            self._rendezvous.leave(run)
            self._wake_device()

    def take(self) -> list[Waiting]:
        """Wait for work and return it; see `Rendezvous.take`.

        The list is empty once the batcher is closed.
        """
        with self._changed:
            while not self.is_closed:
                if (delay := self._rendezvous.delay()) > 0:
                    self._changed.wait(delay)
                    continue
                if group := self._rendezvous.take():
                    return group
                release_team()  # a device without work does not slow down other threads
                self._changed.wait()
            return []

    def deliver(self, group: Sequence[Waiting], outcomes: Sequence[object]) -> None:
        """Hand out the outcomes of a group, one after the other."""
        with self._changed:
            self._rendezvous.deliver(group, outcomes)
            if self.is_closed:
                self._rendezvous.hand_out_all()

    def close(self, reason: str) -> None:
        """Refuse further work, and fail what waits."""
        with self._changed:
            self._stop_reason = reason
            self._rendezvous.hand_out_all()
            self._rendezvous.fail_all(EngineError(reason))
            self._changed.notify_all()

    def _wake_device(self) -> None:
        if not self._rendezvous.has_turn:
            self._changed.notify_all()
