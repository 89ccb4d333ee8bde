"""What is asked for, by whom, and when."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random

from latelier_ray.simulation.arrivals import Arrivals, arrive_independently

ROWS_PER_PICTURE = 2
"""Rows of a call for a picture: guidance has two."""


@dataclass(frozen=True)
class Shape:
    """What a request asks for.

    Attributes:
        calls: of the denoiser, one after the other.
        size: latent positions of a picture, relative to those of the default size.
        pictures: of the request.
    """

    calls: int
    size: float = 1.0
    pictures: int = 1

    @property
    def rows(self) -> int:
        """Rows of each call."""
        return ROWS_PER_PICTURE * self.pictures

    @property
    def work(self) -> float:
        """Rows of all calls, as rows of the default size."""
        return self.calls * self.rows * self.size


@dataclass(frozen=True)
class Client:
    """Somebody who sends requests.

    Attributes:
        name: of the client.
        share: of all requests, relative to those of the other clients.
        shapes: of the requests, which are equally frequent.
    """

    name: str
    share: float
    shapes: Sequence[Shape]


@dataclass(eq=False)
class Request:
    """A request on its way.

    Attributes:
        number: of the request.
        client: who sent it.
        shape: what it asks for.
        arrival: seconds of the simulation at which it came.
        priority: as in the engine; the same for all.
        end: seconds at which it had its pictures; None while it has not, or if it was refused.
        is_refused: whether the queue was full.
    """

    number: int
    client: str
    shape: Shape
    arrival: float
    priority: int = field(default=0, init=False)
    end: float | None = field(default=None, init=False)
    is_refused: bool = field(default=False, init=False)

    @property
    def latency(self) -> float:
        """Seconds from the arrival to the pictures; infinite if there are none."""
        return float("inf") if self.end is None else self.end - self.arrival


@dataclass(frozen=True)
class Workload:
    """Requests of several clients.

    Attributes:
        clients: who send them.
        rate: mean requests in a second.
        count: of the requests.
        arrivals: when they come.
    """

    clients: Sequence[Client]
    rate: float
    count: int
    arrivals: Arrivals = arrive_independently

    @property
    def mean_work(self) -> float:
        """Mean rows of all calls of a request, as rows of the default size."""
        shares = sum(client.share for client in self.clients)
        return sum(
            client.share / shares * shape.work / len(client.shapes)
            for client in self.clients
            for shape in client.shapes
        )

    def make_requests(self, seed: int) -> list[Request]:
        """Return the requests in the order of their arrival; the same for the same seed."""
        randomness = Random(seed)
        times = islice(self.arrivals(self.rate, Random(randomness.random())), self.count)
        shares = [client.share for client in self.clients]
        requests = []
        for number, arrival in enumerate(times):
            [client] = randomness.choices(self.clients, shares)
            shape = randomness.choice(client.shapes)
            requests.append(Request(number, client.name, shape, arrival))
        return requests


SHAPES = (
    Shape(calls=4),
    Shape(calls=8),
    Shape(calls=20),
    Shape(calls=20, pictures=2),
    Shape(calls=20, size=1.5),
    Shape(calls=50),
)
"""Requests of a studio: drafts, pictures of 20 steps, in another format, and some of 50."""

LARGE_SHAPES = (Shape(calls=20, pictures=4), Shape(calls=50, size=1.5, pictures=2))
"""Requests of a client who makes many pictures."""

MIXED = (
    *(Client(f"client {k}", 1, SHAPES) for k in range(1, 8)),
    Client("large", 2, LARGE_SHAPES),
)
"""Seven clients like each other, and one with more and larger requests."""

FLOODED = (
    *(Client(f"client {k}", 1, SHAPES) for k in range(1, 8)),
    Client("flood", 21, SHAPES),
)
"""Seven clients like each other, and one with three times the requests of all others."""
