"""A model that is loaded: its pipeline in an engine, in use or idle."""

import gc
import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

import torch
from latelier.contracts.errors import LatelierError
from latelier.engine import Engine
from latelier.pipeline import Pipeline, load

from latelier_server.models.summary import ModelSummary
from latelier_server.settings import Settings

_log = logging.getLogger(__name__)

EVALUATIONS_PER_STEP = 8
"""Most calls of the denoiser in a step, by a sampler such as `restart`."""


@dataclass(eq=False)
class LoadedModel:
    """A model with its engine.

    Attributes:
        name: of the model.
        pipe: with all adapters that fit.
        engine: runs its jobs.
        size: bytes of its weights.
        running: ends the engine when it is closed.
        jobs: that use it now.
        used: when the last of them ended.
    """

    name: str
    pipe: Pipeline
    engine: Engine
    size: int
    running: ExitStack
    jobs: int = 0
    used: float = field(default_factory=time.monotonic)

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
