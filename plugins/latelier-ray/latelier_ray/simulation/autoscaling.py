"""How many replicas there are: so many that each has a number of rows to do."""

from dataclasses import dataclass
from math import ceil

from latelier_ray.simulation.clock import Clock
from latelier_ray.simulation.fleet import Fleet


@dataclass(frozen=True)
class Autoscaling:
    """Rules for the number of replicas.

    Attributes:
        target: rows of the requests that wait or run, for each replica.
        most: replicas; at least there is one.
        interval: seconds between two decisions.
        start: seconds in which a replica is ready.
        up: seconds for which more must have been needed before they start.
        down: seconds for which fewer must have been enough before the others are stopped.
    """

    target: float
    most: int
    interval: float = 1.0
    start: float = 15.0
    up: float = 5.0
    down: float = 120.0


class Autoscaler:
    """Starts and stops the replicas of a fleet."""

    def __init__(self, clock: Clock, fleet: Fleet, rules: Autoscaling) -> None:
        self._clock = clock
        self._fleet = fleet
        self._rules = rules
        self._not_more_at = 0.0
        self._not_fewer_at = 0.0

    def decide(self) -> None:
        """Start or stop replicas if that was right for long enough, and decide again later."""
        rules, fleet, now = self._rules, self._fleet, self._clock()
        fleet.end_idle()
        wanted = min(rules.most, max(1, ceil(fleet.rows / rules.target)))
        if wanted <= fleet.size:
            self._not_more_at = now
        if wanted >= fleet.size:
            self._not_fewer_at = now
        if now - self._not_more_at >= rules.up:
            for _ in range(wanted - fleet.size):
                fleet.start(rules.start)
        if now - self._not_fewer_at >= rules.down:
            for _ in range(min(fleet.size - wanted, fleet.ready - 1)):
                fleet.stop()
        self._clock.after(rules.interval, self.decide)
