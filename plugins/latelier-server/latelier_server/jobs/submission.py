"""From a request to a job: limits, the model, and what is done with the pictures."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from math import inf
from typing import Any, ParamSpec, TypeVar

from latelier.pipeline.picture import Picture

from latelier_server.access.keys import Client
from latelier_server.access.rates import RateLimiter
from latelier_server.errors import ServerError, field_mistake, mistake, to_server_error
from latelier_server.gallery.gallery import Gallery
from latelier_server.jobs.job import FinishedPicture, ServerJob
from latelier_server.jobs.store import JobStore
from latelier_server.models.host import Run, RunCost
from latelier_server.models.model import MAX_READERS
from latelier_server.models.pool import ModelPool
from latelier_server.operations.faults import log_fault
from latelier_server.operations.metrics import Metrics
from latelier_server.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

Check = Callable[[list[Picture]], Awaitable[dict[str, Any]]]
"""What makes the `result` of a job from its pictures."""


@dataclass(frozen=True)
class Submission:
    """A request as all APIs put it.

    Attributes:
        model: its name; None for the default.
        request: as `Pipeline.stream_json` takes it.
        seconds: after which the job ends unfinished; None for the server's limit.
        is_kept: whether its pictures go into the gallery.
        check: makes the result of the job.
        adapter_scales: by input, other than those of training.
    """

    model: str | None
    request: Mapping[str, Any]
    seconds: float | None = None
    is_kept: bool = True
    check: Check | None = None
    adapter_scales: Mapping[str, float] = field(default_factory=dict)


class JobRunner:
    """Accepts requests, and follows their jobs to the end.

    Attributes:
        pool: the models.
        store: the jobs.
        gallery: None for a server that keeps no pictures.
        metrics: of the server.
        is_draining: whether it accepts nothing more.
    """

    def __init__(
        self, settings: Settings, pool: ModelPool, gallery: Gallery | None, metrics: Metrics
    ) -> None:
        self.pool = pool
        self.store = JobStore()
        self.gallery = gallery
        self.metrics = metrics
        self.is_draining = False
        self._limits = settings.limits
        self._rate = RateLimiter(settings.limits.rate) if settings.limits.rate else None
        self._reading = asyncio.Semaphore(MAX_READERS)
        self._tasks: set[asyncio.Task[None]] = set()

    async def read(self, read: Callable[P, T], *values: P.args, **options: P.kwargs) -> T:
        """Return what a function makes of a request, in a thread: pictures take time and memory."""
        async with self._reading:
            return await asyncio.to_thread(read, *values, **options)

    async def submit(self, client: Client, submission: Submission) -> ServerJob:
        """Return the job of a request, which its model has accepted.

        Raises:
            ServerError: the server is about to end, or the client asks for too much.
            LatelierError: the request has a mistake, or the queue is full.
        """
        self._check_open()
        self._check_rate(client)
        async with AsyncExitStack() as stack:
            name = submission.model or self.pool.default
            model = await stack.enter_async_context(self.pool.use(name))
            warnings: list[str] = []

            def admit(cost: RunCost) -> None:
                self._admit(client, cost)
                warnings.extend(cost.warnings)

            run = await model.submit(
                submission.request,
                deadline=min(submission.seconds or self._limits.seconds, self._limits.seconds),
                client=client.id,
                adapter_scales=submission.adapter_scales,
                admit=admit,
            )
            if self.is_draining:  # since the request came
                run.cancel()
                self._check_open()
            job = ServerJob(client.owner, name, run, tuple(warnings))
            self.store.add(job)
            follow = self._follow(job, run, submission, stack.pop_all())
            task = asyncio.create_task(follow)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return job

    async def drain(self, seconds: float) -> None:
        """Accept nothing more, wait for all jobs, and cancel those that take longer."""
        self.is_draining = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for job in self.store.unfinished():
            job.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _check_open(self) -> None:
        if self.is_draining:
            raise ServerError(503, "the server is about to end", "draining", retry_after=30)

    def _check_rate(self, client: Client) -> None:
        """Refuse a client who may not ask for a single step, before the request is read."""
        if self._rate is not None:
            _refuse_for(self._rate.seconds_until(client.id, 1))

    def _admit(self, client: Client, cost: RunCost) -> None:
        """Check the steps of a run, and let the client pay for the steps of all its pictures.

        Raises:
            ServerError: there are too many.
        """
        steps, most = cost.steps, self._limits.steps
        if steps > most:
            raise field_mistake("steps", f"{steps:,} steps are above the limit of {most:,}")
        if self._rate is not None:
            _refuse_for(self._rate.spend(client.id, cost.picture_steps))

    async def _follow(
        self, job: ServerJob, run: Run, submission: Submission, stack: AsyncExitStack
    ) -> None:
        """Take the previews and the pictures of a job, and never raise."""
        async with stack:
            pictures: list[FinishedPicture] = []
            error = None
            try:
                async for preview in run:
                    job.advance(preview)
                found = await run
                job.preview = None
                if submission.check is not None:
                    job.result = await submission.check(found)
                pictures = await asyncio.to_thread(self._finish, job, submission, found)
            except (KeyboardInterrupt, asyncio.CancelledError):
                raise
            except BaseException as caught:  # also SystemExit of a plugin: it ends the job alone
                error = to_server_error(caught)
                if error.status == 500:
                    log_fault(f"job {job.id[:6]} failed", caught)
            job.end(pictures, error)
            self.metrics.observe_job(job)

    def _finish(
        self, job: ServerJob, submission: Submission, pictures: list[Picture]
    ) -> list[FinishedPicture]:
        """Encode the pictures, and keep them in the gallery."""
        start = time.perf_counter()
        finished = []
        for picture in pictures:
            data = picture.to_bytes("png")
            id_ = None
            if self.gallery is not None and submission.is_kept:
                id_ = self.gallery.add(job.owner, data, job.model, picture.provenance)
            drew = picture.provenance["drew"]
            finished.append(FinishedPicture(data, picture.seed, *picture.image.size, id_, drew))
        self.metrics.postprocess.observe(time.perf_counter() - start)
        return finished


def _refuse_for(seconds: float) -> None:
    """Refuse a request until its client may ask for it; 0 seconds refuse nothing."""
    if seconds == inf:
        raise mistake("the request needs more steps than a client may ask for in a minute")
    if seconds:
        message = "too many steps in the last minute; try again later"
        raise ServerError(429, message, "rate_limited", retry_after=seconds)
