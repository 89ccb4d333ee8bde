"""The jobs of a server: those that run, and the last that have ended."""

import time
from collections import OrderedDict

from latelier_server.errors import not_found
from latelier_server.jobs.job import ServerJob

MAX_JOBS = 1000
"""Most ended jobs that are kept."""

MAX_BYTES = 2**28
"""Most bytes of their pictures together."""

MAX_AGE = 3600.0
"""Seconds for which they are kept."""


class JobStore:
    """Jobs by id, the oldest first."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, ServerJob] = OrderedDict()

    def add(self, job: ServerJob) -> None:
        """Keep a job, and forget ended ones that are too old or too many."""
        self._jobs[job.id] = job
        self._forget()

    def get(self, id_: str, owner: str) -> ServerJob:
        """Return the job of an owner.

        Raises:
            ServerError: there is none, or it is another's.
        """
        job = self._jobs.get(id_)
        if job is None or job.owner != owner:
            raise not_found("job")
        return job

    def picture(self, id_: str, index: int) -> bytes:
        """Return a picture of a job of anybody, whose id is the secret.

        Raises:
            ServerError: there is no such picture.
        """
        job = self._jobs.get(id_)
        if job is None or index >= len(job.pictures):
            raise not_found("picture")
        return job.pictures[index].data

    def of(self, owner: str) -> list[ServerJob]:
        """Return the jobs of an owner, the newest first."""
        return [job for job in reversed(self._jobs.values()) if job.owner == owner]

    def unfinished(self) -> list[ServerJob]:
        """Return the jobs that have not ended."""
        return [job for job in self._jobs.values() if not job.is_done]

    def _forget(self) -> None:
        ended = [job for job in self._jobs.values() if job.is_done]
        size = sum(len(picture.data) for job in ended for picture in job.pictures)
        count, oldest = len(ended), time.time() - MAX_AGE
        for job in ended:
            if count <= MAX_JOBS and size <= MAX_BYTES and (job.ended or 0) >= oldest:
                break
            del self._jobs[job.id]
            count -= 1
            size -= sum(len(picture.data) for picture in job.pictures)
