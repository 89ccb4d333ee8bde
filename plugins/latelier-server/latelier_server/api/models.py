"""The server and its models: what a form for requests needs."""

from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from latelier_server.api.views import describe_model, describe_summary
from latelier_server.jobs.submission import JobRunner
from latelier_server.models.pool import ModelPool


async def describe_server(request: Request) -> Response:
    """Return the versions, the limits and what the server offers."""
    state = request.app.state
    answer: dict[str, Any] = {
        "latelier": version("latelier"),
        "limits": state.settings.limits.model_dump(mode="json"),
        "has_gallery": state.runner.gallery is not None,
        "has_keys": bool(state.settings.keys),
        "is_exact": state.settings.exact,
        "default_model": state.runner.pool.default,
    }
    return JSONResponse(answer)


async def list_models(request: Request) -> Response:
    """Return all models of the server; none of them is loaded for it."""
    pool: ModelPool = request.app.state.runner.pool
    found = [describe_summary(each, pool) for each in pool.summaries.values()]
    return JSONResponse({"models": found})


async def get_model(request: Request) -> Response:
    """Return the schemas of a model, which is loaded for it."""
    runner: JobRunner = request.app.state.runner
    async with runner.pool.use(request.path_params["name"]) as model:
        return JSONResponse(await model.compute(describe_model, model.name))


routes = [
    Route("/", describe_server),
    Route("/models", list_models),
    Route("/models/{name:path}", get_model),
]
