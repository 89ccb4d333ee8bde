"""The time of a simulation: events in the order in which they happen."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

Event = Callable[[], object]


class Clock:
    """Seconds that pass from event to event. Events of the same time keep their order."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._events: list[tuple[float, int, Event]] = []
        self._numbers = count()

    def __call__(self) -> float:
        """Return the seconds since the start."""
        return self._seconds

    def at(self, seconds: float, event: Event) -> None:
        """Let something happen at a time."""
        heappush(self._events, (seconds, next(self._numbers), event))

    def after(self, seconds: float, event: Event) -> None:
        """Let something happen some seconds from now."""
        self.at(self._seconds + seconds, event)

    def run(self, is_over: Callable[[], bool]) -> None:
        """Let one event after the other happen until the simulation is over, or none is left."""
        while self._events and not is_over():
            self._seconds, _, event = heappop(self._events)
            event()
