"""A model that runs on replicas, as the server sees it."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Concatenate, ParamSpec, TypeVar

from latelier.contracts.errors import EngineError
from latelier.engine import Stats
from latelier.engine.stats import CallCounts, JobCounts
from latelier.pipeline import Pipeline
from latelier_server.errors import ServerError
from latelier_server.models.host import Admit

from latelier_ray.serving.messages import Order, Report
from latelier_ray.serving.remote_run import MAX_REPLICAS, RemoteRun
from latelier_ray.serving.replicas import ReplicaLostError, Replicas

P = ParamSpec("P")
T = TypeVar("T")

REPORT_SECONDS = 0.1
"""Seconds between two reports of the replicas while a run goes on."""

ACCEPT_SECONDS = 60.0
"""Seconds in which a replica has to accept a request, or its client is told to come back."""

RETRY_SECONDS = 10.0
"""Seconds after which a client that found no replica should try again."""


class RemoteModel:
    """A model on replicas; see `latelier_server.models.host.ModelHost`.

    Each replica has an engine with a queue of its own. Nothing waits here but for a replica.

    Args:
        name: under which clients ask for the model.
        replicas: run its requests.
    """

    size = 0
    """It takes no memory of the server's."""

    def __init__(self, name: str, replicas: Replicas) -> None:
        self.name = name
        self._replicas = replicas
        self._front = secrets.token_hex(8)
        self._runs: dict[str, RemoteRun] = {}
        self._reports: list[Report] = []
        self._calls: dict[str, CallCounts] = {}
        self._watching: asyncio.Task[None] | None = None

    async def submit(
        self,
        request: Mapping[str, Any],
        *,
        deadline: float,
        client: str,
        adapter_scales: Mapping[str, float],
        admit: Admit,
    ) -> RemoteRun:
        """Return the run of a request, which a replica has planned and queued.

        Raises:
            ServerError: there is no replica that answers.
            LatelierError: the request has a mistake, or the queue is full.
        """
        run = RemoteRun(
            Order(
                secrets.token_hex(8),
                self._front,
                _with_seed(request),
                deadline,
                client,
                adapter_scales,
            ),
            self._replicas,
        )
        try:
            admit(await run.accepted(ACCEPT_SECONDS))
        except TimeoutError:
            run.cancel()
            raise _no_replica() from None
        except BaseException:  # also that of a client who has gone away
            run.cancel()
            raise
        self._watch(run)
        return run

    async def compute(
        self, function: Callable[Concatenate[Pipeline, P], T], *values: P.args, **options: P.kwargs
    ) -> T:
        """Return function(pipeline, ...), which a replica calls.

        Raises:
            ServerError: there is no replica that answers.
        """
        for _ in range(MAX_REPLICAS):
            with suppress(ReplicaLostError):
                computed = await asyncio.wait_for(
                    self._replicas.compute(function, values, options), ACCEPT_SECONDS
                )
                if computed.error is not None:
                    raise computed.error
                value: T = computed.value
                return value
        raise _no_replica()

    def stats(self) -> Stats:
        """Return the runs of this server, and the calls of all replicas that there have been."""
        runs = [run for run in self._runs.values() if not run.is_done]
        queued = sum(run.position is not None for run in runs)
        calls = CallCounts()
        for each in self._calls.values():
            calls = CallCounts(
                calls.calls + each.calls, calls.rows + each.rows, calls.seconds + each.seconds
            )
        most = max((report.stats.most_rows for report in self._reports), default=0)
        jobs = JobCounts(submitted=len(runs), queued=queued, running=len(runs) - queued)
        return Stats(jobs, calls, most, {})

    def close(self) -> None:
        """End the replicas."""
        self._replicas.close()

    def _watch(self, run: RemoteRun) -> None:
        """Follow a run by reports of the replicas until it ends."""
        self._runs[run.id] = run
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._read_reports())

    async def _read_reports(self) -> None:
        """Read reports while a run goes on, and once after the last has ended."""
        while True:
            runs = {id_: run for id_, run in self._runs.items() if not run.is_done}
            self._runs = runs
            with suppress(ReplicaLostError, EngineError):  # the next report may come
                self._take(await self._replicas.report(self._front))
            if not self._runs:
                return
            await asyncio.sleep(REPORT_SECONDS)

    def _take(self, reports: list[Report]) -> None:
        self._reports = reports
        for report in reports:
            self._calls[report.replica] = report.stats.calls
            for id_, progress in report.runs.items():
                if id_ in self._runs:
                    self._runs[id_].advance(progress)


def _with_seed(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a request with a seed, which is random if it has none."""
    if request.get("seed") is not None:
        return request
    return {**request, "seed": secrets.randbelow(2**31)}


def _no_replica() -> ServerError:
    message = "no replica of the model is ready; try again later"
    return ServerError(503, message, "unavailable", retry_after=RETRY_SECONDS)
