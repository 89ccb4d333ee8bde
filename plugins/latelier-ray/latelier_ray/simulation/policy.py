"""How an engine serves: the engine's way, and what it is compared with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from latelier.engine.admission import AdmissionQueue
from latelier.engine.rendezvous import ARRIVAL
from latelier.engine.row_limit import RowLimit

from latelier_ray.simulation.costs import POSITIONS
from latelier_ray.simulation.queues import ArrivalQueue, Queue
from latelier_ray.simulation.workload import Request

Admit = Callable[["Policy", Queue, int, RowLimit], Iterator[Request]]
"""Takes from a queue the requests that start now, given the number of those that run."""


def fill_places(
    policy: "Policy", queue: Queue, running: int, _limit: RowLimit
) -> Iterator[Request]:
    """Start requests while there are places, as the engine does."""
    for _ in range(min(len(queue), policy.active - running)):
        yield queue.pop()


def start_batch(
    _policy: "Policy", queue: Queue, running: int, limit: RowLimit
) -> Iterator[Request]:
    """Start as many requests of one size and number of calls as share a call, when none runs."""
    if running or not len(queue):
        return
    first = queue.pop()
    yield first
    left = most_rows(limit, first) - first.shape.rows
    for request in list(queue):
        if can_share_run(first, request) and request.shape.rows <= left:
            left -= request.shape.rows
            queue.remove(request)
            yield request


def can_share_run(one: Request, other: Request) -> bool:
    """Return whether two requests can be one batch from the first call to the last."""
    return (one.shape.calls, one.shape.size) == (other.shape.calls, other.shape.size)


def most_rows(limit: RowLimit, request: Request) -> int:
    """Return the most rows of a shared call for pictures of a request's size."""
    return limit.of(1, round(request.shape.size * POSITIONS))


@dataclass(frozen=True)
class Policy:
    """How an engine serves.

    Attributes:
        name: of the policy.
        rows: most rows of a call.
        active: most requests that run.
        queue: most requests that wait.
        patience: seconds for which an idle device waits for the next new run.
        make_queue: makes the queue, which says whose request is next.
        admit: says how many start.
    """

    name: str = "continuous"
    rows: int = 32
    active: int = 16
    queue: int = 256
    patience: float = ARRIVAL
    make_queue: Callable[[], Queue] = AdmissionQueue
    admit: Admit = fill_places


CONTINUOUS = Policy()
"""The engine with its defaults: requests share calls from any step on."""

WHOLE = Policy("whole requests", make_queue=ArrivalQueue, admit=start_batch)
"""Requests of one kind are a batch from their first call to their last."""

FIFO = Policy("one at a time", active=1, make_queue=ArrivalQueue)
"""One request after the other."""

POLICIES = (CONTINUOUS, WHOLE, FIFO)
