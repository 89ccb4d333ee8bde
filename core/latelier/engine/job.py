"""A job: one request to an engine, from its place in the queue to its pictures."""

import asyncio
import time
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import Future
from typing import Any, Protocol

from latelier.contracts.errors import DeadlineError, EngineError, JobCancelledError
from latelier.engine.previews import PreviewFeed
from latelier.pipeline.picture import Picture, Preview


class JobOwner(Protocol):
    """What a job knows of its engine."""

    def place_of(self, job: "Job", /) -> int | None:
        """Return how many jobs start before this one; None if it does not wait."""
        ...

    def end_stopped(self) -> None:
        """End the waiting jobs that have a `stop_reason`."""
        ...


class Job:
    """A request to an engine. `Engine.submit` makes jobs.

    Iterating yields a `Preview` after each step; `async for` and `await` work too. A reader that is
    slower than the run misses previews, but none that has finished pictures.

    Attributes:
        client: who submitted it.
        priority: jobs with a higher one start first.
    """

    def __init__(
        self, owner: JobOwner, *, client: str, priority: int, deadline: float | None
    ) -> None:
        self.client = client
        self.priority = priority
        self._owner = owner
        self._expires = None if deadline is None else time.monotonic() + deadline
        self._deadline = deadline
        self._is_cancelled = False
        self._feed = PreviewFeed()
        self._future: Future[list[Picture]] = Future()
        self._future.set_running_or_notify_cancel()  # an awaiting task must not cancel it

    @property
    def position(self) -> int | None:
        """How many waiting jobs start before this one; None if it has started or ended."""
        return self._owner.place_of(self)

    @property
    def is_done(self) -> bool:
        """Whether the job has ended, with pictures or an error."""
        return self._future.done()

    def result(self, timeout: float | None = None) -> list[Picture]:
        """Wait for the pictures and return them.

        Args:
            timeout: seconds to wait; None for as long as it takes. The job goes on after them.

        Raises:
            TimeoutError: the job has not ended yet.
            JobCancelledError: the job was cancelled.
            DeadlineError: the job missed its deadline.
            LatelierError: what `Pipeline.generate` would raise.
        """
        return self._future.result(timeout)

    def cancel(self) -> None:
        """Stop the job before its next call of the denoiser. One that has ended stays as it is."""
        self._is_cancelled = True
        self._owner.end_stopped()

    def __iter__(self) -> Iterator[Preview]:
        """Yield a preview after each step; raise the error of a job that fails."""
        yield from self._feed
        self.result()

    def __await__(self) -> Generator[Any, None, list[Picture]]:
        """Wait for the pictures. Cancelling the task that waits does not cancel the job."""
        return asyncio.wrap_future(self._future).__await__()

    async def __aiter__(self) -> AsyncIterator[Preview]:
        """Yield what `__iter__` yields."""
        async for preview in self._feed:
            yield preview
        await self

    def stop_reason(self) -> EngineError | None:
        """Return the error that the job has to end with; None while it may go on."""
        if self._is_cancelled:
            return JobCancelledError("the job was cancelled")
        if self._expires is not None and time.monotonic() > self._expires:
            return DeadlineError(f"the job was not finished within {self._deadline:g} seconds")
        return None

    def check(self) -> None:
        """Check that the job may go on.

        Raises:
            JobCancelledError: it was cancelled.
            DeadlineError: its deadline has passed.
        """
        reason = self.stop_reason()
        if reason is not None:
            raise reason

    def publish(self, preview: Preview) -> None:
        """Show a preview to those who iterate."""
        self._feed.publish(preview)

    def end(self, outcome: list[Picture] | BaseException) -> None:
        """End the job with its pictures or an error."""
        if isinstance(outcome, BaseException):
            self._future.set_exception(outcome)
        else:
            self._future.set_result(outcome)
        self._feed.close()
