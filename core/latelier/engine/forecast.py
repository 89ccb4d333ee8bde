"""When a full queue has room again: what a refused client is told."""

import time
from collections import deque
from collections.abc import Callable

RECENT = 64
"""Jobs by whose ends the pace of an engine is measured."""


class RoomForecast:
    """Forecasts when jobs that found a queue full should find room.

    A place is free whenever a job ends. The pace of ends is that of the last jobs, without time in
    which none ran. Each refused job is given a place of its own, or all would come back at once.

    Args:
        now: returns seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._running = 0
        self._busy_before = 0.0
        self._busy_since = 0.0
        self._ends = deque([0.0], maxlen=RECENT + 1)
        self._promised = 0.0

    def begin(self) -> None:
        """Note that a job has started."""
        if not self._running:
            self._busy_since = self._now()
        self._running += 1

    def end(self) -> None:
        """Note that a running job has ended."""
        self._ends.append(self._busy_seconds())
        self._running -= 1
        if not self._running:
            self._busy_before = self._ends[-1]

    def seconds_until_room(self, waiting: int) -> float:
        """Return the seconds until a job that is refused now should find room.

        Args:
            waiting: jobs in the queue; after them there is room in any case.
        """
        now, pace = self._now(), self._seconds_per_job()
        self._promised = min(max(self._promised, now) + pace, now + waiting * pace)
        return self._promised - now

    def _seconds_per_job(self) -> float:
        """Return the mean seconds between two ends; before the first, the seconds so far."""
        return (self._busy_seconds() - self._ends[0]) / max(1, len(self._ends) - 1)

    def _busy_seconds(self) -> float:
        """Return the seconds in which at least one job ran."""
        return self._busy_before + (self._now() - self._busy_since if self._running else 0.0)
