"""Which work the device does next, and whose turn it is to bring more: the policy of the engine.

What a run does between two calls is short and mostly Python, which runs one thread at a time: runs
that compete with each other, or with the device, spend more time on switching than on work. So the
results of a group are handed out one by one, each when the run before has brought its next work,
and the device waits for the last one. A run that is slow delays the others once: then all go on.

Nothing here waits or has threads: `Batcher` adds them, and a simulation a clock of its own.
"""

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from latelier.engine.work import Work

MAX_TURN = 0.005
"""Seconds after which a run is slow."""

ARRIVAL = 0.002
"""Seconds for which a device without other work waits for the next new run, after each of them."""


@dataclass(frozen=True, eq=False)
class Waiting:
    """Work that waits for the device.

    Attributes:
        work: what is to be done.
        run: whose work it is; None: of nobody who will bring more.
        is_first: whether the run has just begun.
        finish: takes the result, or the error that there is in place of it, and does not block.
    """

    work: Work[Any, Any]
    run: Hashable
    is_first: bool
    finish: Callable[[object], None]


class Rendezvous:
    """Where runs meet the device.

    Args:
        now: returns seconds.
        max_turn: the attribute.
        arrival: the attribute.

    Attributes:
        max_turn: seconds after which a run is slow.
        arrival: seconds for which a device without other work waits for the next new run.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        *,
        max_turn: float = MAX_TURN,
        arrival: float = ARRIVAL,
    ) -> None:
        self._now = now
        self.max_turn = max_turn
        self.arrival = arrival
        self._waiting: list[Waiting] = []
        self._done: deque[tuple[Waiting, object]] = deque()
        self._turn: Hashable = None
        self._turn_end = 0.0
        self._runs: set[Hashable] = set()
        self._last_arrival = 0.0

    @property
    def has_turn(self) -> bool:
        """Whether a run has got its result, and has not brought its next work."""
        return self._turn is not None

    def bring(self, work: Work[Any, Any], run: Hashable, finish: Callable[[object], None]) -> None:
        """Add work, which ends the turn of its run."""
        is_first = run not in self._runs
        if is_first and run is not None:
            self._runs.add(run)
            self._last_arrival = self._now()
        self._waiting.append(Waiting(work, run, is_first, finish))
        self._end_turn(run)

    def leave(self, run: Hashable) -> None:
        """Expect no more work of a run."""
        self._runs.discard(run)
        self._end_turn(run)

    def delay(self) -> float:
        """Return the seconds for which the device waits for runs that will soon bring work."""
        if self._turn is not None:
            return self._turn_end - self._now()
        if all(each.is_first for each in self._waiting):
            return self._last_arrival + self.arrival - self._now()
        return 0

    def take(self) -> list[Waiting]:
        """Remove the oldest work, and what can be done together with it, and return it.

        This is the oldest of its key, up to its most rows. The list is empty if no work waits.
        """
        self.hand_out_all()
        group = list(self._oldest_group())
        taken = set(group)
        self._waiting = [each for each in self._waiting if each not in taken]
        return group

    def deliver(self, group: Sequence[Waiting], outcomes: Sequence[object]) -> None:
        """Hand out the outcomes of a group, one after the other."""
        self._done.extend(zip(group, outcomes, strict=True))
        self._hand_out()

    def hand_out_all(self) -> None:
        """Hand out all outcomes now, and wait for nobody's turn."""
        while self._done:
            self._turn = None
            self._hand_out()
        self._turn = None

    def fail_all(self, error: Exception) -> None:
        """End all work that waits with an error."""
        for waiting in self._waiting:
            waiting.finish(error)
        self._waiting.clear()

    def _end_turn(self, run: Hashable) -> None:
        """Let the next run go on, if it was this one's turn."""
        if self._turn is run:
            self._turn = None
            self._hand_out()

    def _hand_out(self) -> None:
        """Hand out the results of the next run, and begin its turn."""
        while self._done and self._turn in (None, self._done[0][0].run):
            waiting, outcome = self._done.popleft()
            self._turn, self._turn_end = waiting.run, self._now() + self.max_turn
            waiting.finish(outcome)

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
