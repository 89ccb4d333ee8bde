"""The queue of an engine: which job starts next."""

from collections import deque
from collections.abc import Iterator
from itertools import zip_longest
from typing import Generic, Protocol, TypeVar


class Queued(Protocol):
    """What the queue knows of a job."""

    @property
    def client(self) -> str:
        """Who submitted it."""
        ...

    @property
    def priority(self) -> int:
        """Jobs with a higher one start first."""
        ...


J = TypeVar("J", bound=Queued)


class AdmissionQueue(Generic[J]):
    """Jobs that wait. The highest priority is first.

    Among jobs of one priority, clients take turns, and the jobs of a client start in the order in
    which they came.
    """

    def __init__(self) -> None:
        self._clients: dict[int, dict[str, deque[J]]] = {}

    def __len__(self) -> int:
        """Return the number of jobs."""
        return sum(len(jobs) for turns in self._clients.values() for jobs in turns.values())

    def __iter__(self) -> Iterator[J]:
        """Yield the jobs in the order in which they will start."""
        for _, turns in sorted(self._clients.items(), reverse=True):
            for round_ in zip_longest(*turns.values()):
                yield from (job for job in round_ if job is not None)

    def put(self, job: J) -> None:
        """Add a job behind those of its client and priority."""
        turns = self._clients.setdefault(job.priority, {})
        turns.setdefault(job.client, deque()).append(job)

    def pop(self) -> J:
        """Remove the next job and return it. Its client's next turn comes after all others'."""
        turns = self._clients[max(self._clients)]
        client, jobs = next(iter(turns.items()))
        job = jobs.popleft()
        del turns[client]
        if jobs:
            turns[client] = jobs
        self._drop_empty()
        return job

    def remove(self, job: J) -> None:
        """Remove a job that waits."""
        self._clients[job.priority][job.client].remove(job)
        self._drop_empty()

    def _drop_empty(self) -> None:
        self._clients = {
            priority: kept
            for priority, turns in self._clients.items()
            if (kept := {client: jobs for client, jobs in turns.items() if jobs})
        }
