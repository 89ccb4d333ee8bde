"""A request on its way through replicas: it ends with pictures or an error, whichever of them die.

A request that was accepted is never given up because its replica has died. It is run again on
another, with the same seed, so its pictures are the same. Only a request that has been on
`MAX_REPLICAS` of them when they died ends with an error: it may be what kills them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from latelier.contracts.errors import (
    DeadlineError,
    EngineError,
    JobCancelledError,
    QueueFullError,
)
from latelier.pipeline.picture import Picture
from latelier_server.models.host import RunCost
from PIL.Image import Image

from latelier_ray.serving.messages import Accepted, Finished, Message, Order, RunProgress
from latelier_ray.serving.replicas import ReplicaLostError, Replicas

MAX_REPLICAS = 3
"""Replicas that may die with a request before it ends with an error."""

MAX_PAUSE = 1.0
"""Most seconds before a request is sent again: its replica has died, or all were full."""


@dataclass(frozen=True, eq=False)
class RemotePreview:
    """The state of a run after a step; see `latelier_server.models.host.RunPreview`."""

    step: int
    steps: int
    batch: int
    batches: int
    fetch: Callable[[], Image | None]

    @property
    def image(self) -> Image:
        """The estimate of the first picture, which the replica decodes now.

        Raises:
            EngineError: the run has ended meanwhile, or its replica.
        """
        image = self.fetch()
        if image is None:
            raise EngineError("the run has no preview any more")
        return image


class RemoteRun:
    """A run; see `latelier_server.models.host.Run`. It has one reader, and lives in an event loop.

    Args:
        order: what to run.
        replicas: run it.

    Attributes:
        id: of the order.
    """

    def __init__(self, order: Order, replicas: Replicas) -> None:
        self.id = order.id
        self._order = order
        self._replicas = replicas
        self._expires = time.monotonic() + order.deadline
        self._progress = RunProgress(position=0)
        self._is_on_replica = False
        self._changed = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._accepted: asyncio.Future[RunCost] = loop.create_future()
        self._ended: asyncio.Future[list[Picture]] = loop.create_future()
        for future in (self._accepted, self._ended):
            future.add_done_callback(_retrieve)
        self._work = asyncio.create_task(self._run())

    @property
    def position(self) -> int | None:
        """How many waiting runs of its replica start before this one; None if it has started."""
        return None if self.is_done else self._progress.position

    @property
    def is_done(self) -> bool:
        """Whether it has ended, with pictures or an error."""
        return self._ended.done()

    def cancel(self) -> None:
        """Stop before the next step. A run that has ended stays as it is."""
        self._end(JobCancelledError("the job was cancelled"))
        self._work.cancel()

    def advance(self, progress: RunProgress) -> None:
        """Take where the run is by a report of its replica."""
        if not self.is_done and progress != self._progress:
            self._progress = progress
            self._changed.set()

    async def accepted(self, seconds: float) -> RunCost:
        """Wait until a replica has accepted the order, and return its cost.

        Raises:
            TimeoutError: none has within some seconds.
            LatelierError: the order has a mistake, or the queue is full.
        """
        return await asyncio.wait_for(asyncio.shield(self._accepted), seconds)

    async def __aiter__(self) -> AsyncIterator[RemotePreview]:
        """Yield a preview after steps, as reports tell of them; raise the error of the run."""
        while not self.is_done:
            await self._changed.wait()
            self._changed.clear()
            if self._progress.step and not self.is_done:
                yield self._preview(self._progress)
        await self

    def __await__(self) -> Generator[Any, None, list[Picture]]:
        """Wait for the pictures."""
        return asyncio.shield(self._ended).__await__()

    async def _run(self) -> None:
        """Send the order to replicas until it has ended on one."""
        try:
            async with asyncio.timeout_at(_loop_time(self._expires)):
                deaths = 0
                while deaths < MAX_REPLICAS:
                    self._is_on_replica = False
                    try:
                        return await self._run_on_one()
                    except ReplicaLostError:  # one that had not begun may only be out of reach
                        deaths += self._is_on_replica
                        self._progress = RunProgress(position=0)
                        await asyncio.sleep(MAX_PAUSE)
            self._end(EngineError(f"{MAX_REPLICAS} replicas have died with the job"))
        except TimeoutError:
            seconds = self._order.deadline
            self._end(DeadlineError(f"the job was not finished within {seconds:g} seconds"))
        except Exception as error:
            self._end(error)

    async def _run_on_one(self) -> None:
        """Run the order on a replica; wait and repeat it if all are full and it was accepted."""
        while True:
            try:
                async with aclosing(self._replicas.run(self._remaining_order())) as messages:
                    async for message in messages:
                        self._take(message)
                if not self.is_done:
                    raise ReplicaLostError("the messages of the replica ended early")
                return
            except QueueFullError as error:
                if not self._accepted.done():
                    raise
                await asyncio.sleep(min(error.retry_after, MAX_PAUSE))

    def _take(self, message: Message) -> None:
        if isinstance(message, Accepted):
            self._is_on_replica = True
            if not self._accepted.done():
                self._accepted.set_result(message.cost)
        elif isinstance(message, Finished):
            self._end(message.pictures)
        elif isinstance(message.error, QueueFullError):
            raise message.error
        else:
            self._end(message.error)

    def _end(self, outcome: list[Picture] | Exception) -> None:
        if self.is_done:
            return
        if isinstance(outcome, Exception):
            self._ended.set_exception(outcome)
            if not self._accepted.done():
                self._accepted.set_exception(outcome)
        else:
            self._ended.set_result(outcome)
        self._changed.set()

    def _remaining_order(self) -> Order:
        """Return the order with the seconds that are left."""
        return replace(self._order, deadline=max(0.001, self._expires - time.monotonic()))

    def _preview(self, progress: RunProgress) -> RemotePreview:
        loop = asyncio.get_running_loop()

        def fetch() -> Image | None:
            found = asyncio.run_coroutine_threadsafe(self._replicas.preview(self.id), loop)
            try:
                return found.result()
            except ReplicaLostError:
                return None

        return RemotePreview(progress.step, progress.steps, progress.batch, progress.batches, fetch)


def _loop_time(moment: float) -> float:
    """Return the time of the running loop at a moment of time.monotonic."""
    return asyncio.get_running_loop().time() + moment - time.monotonic()


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Look at the error of a future, or asyncio reports that nobody did."""
    if not future.cancelled():
        future.exception()
