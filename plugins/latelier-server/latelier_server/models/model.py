"""A model that is loaded in this process: its pipeline in an engine."""

import asyncio
import gc
import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar

import torch
from latelier.contracts.errors import LatelierError
from latelier.engine import Engine, Job, Stats
from latelier.pipeline import Pipeline, load

from latelier_server.models.host import Admit, RunCost
from latelier_server.models.summary import ModelSummary
from latelier_server.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger(__name__)

EVALUATIONS_PER_STEP = 8
"""Most calls of the denoiser in a step, by a sampler such as `restart`."""

MAX_READERS = 4
"""Requests whose pictures are decoded and whose plans are made at a time."""


@dataclass(eq=False)
class LoadedModel:
    """A model with its engine.

    Attributes:
        name: of the model.
        pipe: with all adapters that fit.
        engine: runs its jobs.
        size: bytes of its weights.
        running: ends the engine when it is closed.
    """

    name: str
    pipe: Pipeline
    engine: Engine
    size: int
    running: ExitStack
    _reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_READERS))

    async def submit(
        self,
        request: Mapping[str, Any],
        *,
        deadline: float,
        client: str,
        adapter_scales: Mapping[str, float],
        admit: Admit,
    ) -> Job:
        """Plan a request in a thread, and queue it; see `ModelHost.submit`."""
        async with self._reading:
            return await asyncio.to_thread(
                self.engine.submit_json,
                request,
                deadline=deadline,
                client=client,
                adapter_scales=adapter_scales,
                admit=lambda plan: admit(RunCost.of_plan(plan)),
            )

    async def compute(
        self, function: Callable[Concatenate[Pipeline, P], T], *values: P.args, **options: P.kwargs
    ) -> T:
        """Return function(pipeline, ...), which is called in a thread."""
        async with self._reading:
            return await asyncio.to_thread(function, self.pipe, *values, **options)

    def stats(self) -> Stats:
        """Return what the engine has done so far, and what it does now."""
        return self.engine.stats()

    def close(self) -> None:
        """Wait for its jobs, end the engine, and free the memory."""
        self.running.close()
        del self.pipe, self.engine, self.running
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def load_model(summary: ModelSummary, settings: Settings) -> LoadedModel:
    """Load a model with the adapters of plugins that fit it, and start its engine.

    Raises:
        LatelierError: see `latelier.load`.
    """
    limits = settings.limits
    pipe = _with_adapters(load(summary.place, settings.device, settings.dtype)).with_limits(
        pixels=limits.pixels,
        pictures=limits.pictures,
        evaluations=limits.pictures * limits.steps * EVALUATIONS_PER_STEP,
    )
    engine = Engine(
        pipe,
        rows=settings.rows,
        active=settings.active,
        queue=settings.queue,
        exact=settings.exact,
    )
    with ExitStack() as running:
        running.enter_context(engine)
        engine.warm()
        return LoadedModel(summary.name, pipe, engine, summary.bytes, running.pop_all())


def _with_adapters(pipe: Pipeline) -> Pipeline:
    """Return a view with the adapters that plugins have for the model, each with its input."""
    for name in pipe.atelier.adapters.names():
        try:
            pipe = pipe.with_adapter(name)
        except LatelierError as error:
            _log.info("the adapter '%s' is not served: %s", name, error)
    return pipe
