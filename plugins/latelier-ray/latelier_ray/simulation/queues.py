"""Which request starts next, where it is not the engine's `AdmissionQueue` that decides."""

from collections import deque
from collections.abc import Iterator
from typing import Protocol

from latelier_ray.simulation.workload import Request


class Queue(Protocol):
    """Requests that wait, in the order in which they start."""

    def __len__(self) -> int:
        """Return their number."""
        ...

    def __iter__(self) -> Iterator[Request]:
        """Yield them in their order."""
        ...

    def put(self, request: Request, /) -> None:
        """Add one."""
        ...

    def pop(self) -> Request:
        """Remove the next one and return it."""
        ...

    def remove(self, request: Request, /) -> None:
        """Remove one."""
        ...


class ArrivalQueue:
    """Requests start in the order of their arrival, whoever sent them."""

    def __init__(self) -> None:
        self._waiting = deque[Request]()

    def __len__(self) -> int:
        """Return the number of requests."""
        return len(self._waiting)

    def __iter__(self) -> Iterator[Request]:
        """Yield the requests in their order."""
        return iter(self._waiting)

    def put(self, request: Request) -> None:
        """Add a request behind all others."""
        self._waiting.append(request)

    def pop(self) -> Request:
        """Remove the next request and return it."""
        return self._waiting.popleft()

    def remove(self, request: Request) -> None:
        """Remove a request."""
        self._waiting.remove(request)


class WorkQueue:
    """The client who has got the least work so far is next.

    A client who comes back has got as much as those who wait, or it could save up its turns.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Request]] = {}
        self._got: dict[str, float] = {}

    def __len__(self) -> int:
        """Return the number of requests."""
        return sum(map(len, self._waiting.values()))

    def __iter__(self) -> Iterator[Request]:
        """Yield the requests, client by client."""
        for requests in self._waiting.values():
            yield from requests

    def put(self, request: Request) -> None:
        """Add a request behind those of its client."""
        if request.client not in self._waiting:
            least = min((self._got[each] for each in self._waiting), default=0.0)
            self._got[request.client] = max(least, self._got.get(request.client, 0.0))
        self._waiting.setdefault(request.client, deque()).append(request)

    def pop(self) -> Request:
        """Remove the next request and return it."""
        client = min(self._waiting, key=self._got.__getitem__)
        request = self._waiting[client][0]
        self._got[client] += request.shape.work
        self.remove(request)
        return request

    def remove(self, request: Request) -> None:
        """Remove a request."""
        self._waiting[request.client].remove(request)
        if not self._waiting[request.client]:
            del self._waiting[request.client]
