"""A replica: a model with its engine, in a process of its own."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from latelier.contracts.errors import EngineError, LatelierError
from latelier.engine import Job
from latelier_server.errors import ServerError
from latelier_server.models.host import RunCost, RunPreview
from latelier_server.models.model import load_model
from latelier_server.models.summary import ModelSummary
from latelier_server.operations.faults import log_fault
from latelier_server.settings import Settings
from PIL.Image import Image

from latelier_ray.serving.messages import (
    Accepted,
    Computed,
    Failed,
    Finished,
    Message,
    Order,
    Report,
    RunProgress,
)
from latelier_ray.serving.scaling import PICTURES_METRIC


@dataclass
class _Running:
    """A run that has not ended.

    Attributes:
        front: the server that it comes from.
        job: of the engine.
        cost: of the run.
        preview: of its last step.
    """

    front: str
    job: Job
    cost: RunCost
    preview: RunPreview | None = None


class EngineReplica:
    """Takes orders of servers. Errors are values here: Ray would wrap those that are raised.

    Args:
        summary: of the model, which is loaded at once.
        settings: of the server.
    """

    def __init__(self, summary: ModelSummary, settings: Settings) -> None:
        self._model = load_model(summary, settings)
        self._id = secrets.token_hex(8)
        self._runs: dict[str, _Running] = {}

    async def run(self, order: Order) -> AsyncGenerator[Message, None]:
        """Yield that an order is accepted, and then its end. Closing the stream cancels it."""
        try:
            running = await self._submit(order)
        except (Exception, SystemExit) as error:
            yield Failed(_portable(error))
            return
        self._runs[order.id] = running
        try:
            yield Accepted(running.cost)
            async for preview in running.job:
                running.preview = preview
            yield Finished(await running.job)
        except (Exception, SystemExit) as error:  # a plugin that exits ends the run alone
            yield Failed(_portable(error))
        finally:
            running.job.cancel()
            del self._runs[order.id]

    async def report(self, front: str) -> Report:
        """Return where the runs of a server are."""
        runs = {id_: _progress(each) for id_, each in self._runs.items() if each.front == front}
        stats = self._model.stats()
        return Report(self._id, runs, replace(stats, curve=dict(stats.curve)))

    async def preview(self, run: str) -> Image | None:
        """Return the preview of a run of this replica, decoded now; None if there is none."""
        running = self._runs.get(run)
        if running is None or running.preview is None:
            return None
        try:
            return await asyncio.to_thread(_image_of, running.preview)
        except EngineError:  # the run has ended meanwhile
            return None

    async def compute(
        self,
        function: Callable[..., Any],
        values: tuple[Any, ...],
        options: Mapping[str, Any],
    ) -> Computed:
        """Return the result of function(pipeline, ...)."""
        try:
            return Computed(await self._model.compute(function, *values, **options), None)
        except (Exception, SystemExit) as error:
            return Computed(None, _portable(error))

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Return what Ray Serve passes on to the rule of scaling.py."""
        pictures = sum(each.cost.pictures for each in self._runs.values())
        return {PICTURES_METRIC: float(pictures)}

    async def _submit(self, order: Order) -> _Running:
        """Return the run of an order, which the engine has queued."""
        costs: list[RunCost] = []
        job = await self._model.submit(
            order.request,
            deadline=order.deadline,
            client=order.client,
            adapter_scales=order.adapter_scales,
            admit=costs.append,
        )
        return _Running(order.front, job, costs[0])


def _image_of(preview: RunPreview) -> Image:
    return preview.image


def _progress(running: _Running) -> RunProgress:
    position, preview = running.job.position, running.preview
    if preview is None:
        return RunProgress(position)
    return RunProgress(position, preview.step, preview.steps, preview.batch, preview.batches)


def _portable(error: BaseException) -> Exception:
    """Return an error as it is sent: those of plugins may need code that the server does not have.

    The text of a fault is left out, since it may quote a request.
    """
    if isinstance(error, LatelierError | ServerError):
        return error
    log_fault("a run failed", error)
    return RuntimeError(type(error).__name__)
