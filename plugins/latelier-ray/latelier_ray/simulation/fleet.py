"""The replicas behind one door, each of which is paid from its start to its end."""

from collections.abc import Callable
from random import Random

from latelier_ray.simulation.clock import Clock
from latelier_ray.simulation.replica import Replica
from latelier_ray.simulation.routing import Route
from latelier_ray.simulation.workload import Request


class Fleet:
    """Replicas that start, get requests, and end.

    Args:
        clock: of the simulation.
        make_replica: makes one.
        route: says which one gets a request.
        randomness: of the route.

    Attributes:
        starting: replicas that load their model.
        busy: seconds in which devices of replicas that have ended had worked.
        paid: seconds of replicas that have ended.
    """

    def __init__(
        self, clock: Clock, make_replica: Callable[[], Replica], route: Route, randomness: Random
    ) -> None:
        self.starting = 0
        self.busy = 0.0
        self.paid = 0.0
        self._clock = clock
        self._make_replica = make_replica
        self._route = route
        self._randomness = randomness
        self._ready: list[Replica] = []
        self._leaving: list[Replica] = []
        self._begins: dict[Replica, float] = {}

    @property
    def size(self) -> int:
        """Replicas that get requests, or will."""
        return len(self._ready) + self.starting

    @property
    def ready(self) -> int:
        """Replicas that get requests."""
        return len(self._ready)

    @property
    def rows(self) -> int:
        """Rows of the requests that wait or run."""
        return sum(replica.rows for replica in (*self._ready, *self._leaving))

    def add(self, begin: float = 0.0) -> None:
        """Add a replica that is ready, and paid since `begin`."""
        replica = self._make_replica()
        self._begins[replica] = begin
        self._ready.append(replica)

    def start(self, seconds: float) -> None:
        """Start a replica, which is ready after some seconds."""
        begin = self._clock()
        self.starting += 1
        self._clock.after(seconds, lambda: self._finish_start(begin))

    def stop(self) -> None:
        """Give no more requests to the replica with the fewest rows, which ends after its last."""
        replica = min(self._ready, key=lambda each: each.rows)
        self._ready.remove(replica)
        self._leaving.append(replica)
        self.end_idle()

    def submit(self, request: Request) -> None:
        """Give a request to a replica."""
        self._route(self._ready, self._randomness).submit(request)

    def end_idle(self) -> None:
        """End the replicas that leave and have no more requests."""
        for replica in [each for each in self._leaving if not each.rows]:
            self._leaving.remove(replica)
            self.busy += replica.busy
            self.paid += self._clock() - self._begins.pop(replica)

    def close(self) -> None:
        """End all replicas."""
        self._leaving += self._ready
        self._ready = []
        self.end_idle()

    def _finish_start(self, begin: float) -> None:
        self.starting -= 1
        self.add(begin)
