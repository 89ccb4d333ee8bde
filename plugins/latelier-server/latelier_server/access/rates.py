"""How often a client may do something."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MAX_CLIENTS = 10_000
"""Clients that are remembered; the one that was not seen for longest is forgotten first."""


class RateLimiter:
    """Counts down what each client may still spend; it grows back evenly within a minute.

    Args:
        per_minute: what a client may spend in a minute, also at once.
        now: returns seconds.
    """

    def __init__(self, per_minute: float, now: Callable[[], float] = time.monotonic) -> None:
        self._most = per_minute
        self._now = now
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def seconds_until(self, client: str, cost: float) -> float:
        """Return after how many seconds a client may spend `cost`; 0 for now, inf for never."""
        with self._lock:
            return self._seconds_until(client, cost)

    def spend(self, client: str, cost: float) -> float:
        """Take `cost`, if the client may spend it now. Return what `seconds_until` returns."""
        with self._lock:
            delay = self._seconds_until(client, cost)
            if not delay:
                self._left[client] = self._left_of(client) - cost, self._now()
                self._left.move_to_end(client)
                if len(self._left) > MAX_CLIENTS:
                    self._left.popitem(last=False)
            return delay

    def _seconds_until(self, client: str, cost: float) -> float:
        if cost > self._most:
            return float("inf")
        return max(0.0, cost - self._left_of(client)) * 60 / self._most

    def _left_of(self, client: str) -> float:
        left, then = self._left.get(client, (self._most, self._now()))
        return min(self._most, left + (self._now() - then) * self._most / 60)
