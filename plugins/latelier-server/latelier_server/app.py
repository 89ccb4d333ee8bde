"""The application: its routes, its middleware, and what it starts and ends with."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from latelier.contracts.errors import LatelierError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Mount

from latelier_server import errors
from latelier_server.a1111.routes import routes as a1111_routes
from latelier_server.access.gate import Gate
from latelier_server.api import databases, gallery, jobs, models, replay
from latelier_server.errors import ServerError
from latelier_server.gallery.gallery import Gallery
from latelier_server.jobs.submission import JobRunner
from latelier_server.models.host import LoadModel
from latelier_server.models.model import load_model
from latelier_server.models.pool import ModelPool
from latelier_server.models.summary import find_models
from latelier_server.openai.routes import files_route
from latelier_server.openai.routes import routes as openai_routes
from latelier_server.operations import health
from latelier_server.operations.logs import AccessLog
from latelier_server.operations.metrics import Metrics
from latelier_server.settings import Settings

_log = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 30
"""Seconds that jobs have when the application ends without having been drained before."""


def create_app(
    settings: Settings, pages: Sequence[BaseRoute] = (), load: LoadModel = load_model
) -> Starlette:
    """Return the ASGI application of a server. Models are loaded once it starts.

    Args:
        settings: of the server.
        pages: further routes, such as a page on top of the API. Clients need no key for them.
        load: loads a model; into this process by default.

    Raises:
        LatelierError: a model does not exist.
    """
    metrics = Metrics()
    pool = ModelPool(find_models(settings.models), settings, load)
    kept = Gallery(settings.gallery) if settings.gallery else None
    runner = JobRunner(settings, pool, kept, metrics)
    metrics.watch(pool.loaded)
    own = [*models.routes, *databases.routes, *jobs.routes, *gallery.routes, *replay.routes]
    app = Starlette(
        routes=[
            *health.routes,
            files_route,
            Mount("/api", routes=own),
            Mount("/v1", routes=openai_routes),
            Mount("/sdapi/v1", routes=a1111_routes),
            *pages,
        ],
        middleware=[
            Middleware(AccessLog, metrics=metrics),
            *_cors(settings.origins),
            Middleware(Gate, settings=settings),
        ],
        exception_handlers=dict.fromkeys(
            (HTTPException, ServerError, LatelierError), errors.handle
        ),
        lifespan=_run,
    )
    app.state.settings = settings
    app.state.runner = runner
    app.state.is_warm = False
    app.state.a1111_models = {}
    return app


def _cors(origins: tuple[str, ...]) -> list[Middleware]:
    """Return what lets web pages of listed origins read answers; nothing without any."""
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["authorization", "content-type"],
        )
    ]


@asynccontextmanager
async def _run(app: Starlette) -> AsyncIterator[None]:
    """Warm the default model while the server already answers; end without losing a job."""
    runner: JobRunner = app.state.runner
    warming = asyncio.create_task(_warm(app))
    try:
        yield
    finally:
        await warming
        await runner.drain(SHUTDOWN_SECONDS)
        await runner.pool.close()


async def _warm(app: Starlette) -> None:
    runner: JobRunner = app.state.runner
    try:
        async with runner.pool.use(runner.pool.default):
            app.state.is_warm = True
    except Exception:
        _log.exception("the model '%s' cannot be loaded", runner.pool.default)
