"""The routes of OpenAI's images API."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from latelier_server.bodies import read_form, read_json
from latelier_server.errors import not_found
from latelier_server.jobs.submission import JobRunner, Submission
from latelier_server.models.pool import ModelPool
from latelier_server.models.summary import ModelSummary
from latelier_server.openai.answers import describe_pictures, stream_pictures
from latelier_server.openai.requests import ImagesRequest, read_edit, read_fields
from latelier_server.sse import stream_events
from latelier_server.waiting import wait_for


async def generations(request: Request) -> Response:
    """Make pictures of a prompt."""
    asked = read_fields(await read_json(request), request.app.state.runner.pool)
    return await _answer(request, asked, "image_generation")


async def edits(request: Request) -> Response:
    """Make pictures from a picture; with a mask only what is transparent in it is repainted."""
    form = await read_form(request)
    try:
        fields = await read_edit(form, request.app.state.runner)
    finally:
        await form.close()
    asked = read_fields(fields, request.app.state.runner.pool)
    return await _answer(request, asked, "image_edit")


async def models(request: Request) -> Response:
    """List the models."""
    pool: ModelPool = request.app.state.runner.pool
    return JSONResponse({"object": "list", "data": [*map(_describe, pool.summaries.values())]})


async def model(request: Request) -> Response:
    """Return a model."""
    pool: ModelPool = request.app.state.runner.pool
    summary = pool.summaries.get(request.path_params["name"])
    if summary is None:
        raise not_found("model")
    return JSONResponse(_describe(summary))


async def file(request: Request) -> Response:
    """Return a picture whose URL an answer has given; the id of the job is the secret."""
    runner: JobRunner = request.app.state.runner
    data = runner.store.picture(request.path_params["id"], request.path_params["index"])
    return Response(data, media_type="image/png")


async def _answer(request: Request, asked: ImagesRequest, kind: str) -> Response:
    runner: JobRunner = request.app.state.runner
    job = await runner.submit(request.state.client, Submission(asked.model, asked.request))
    if asked.is_stream:
        return stream_events(stream_pictures(job, asked, kind))
    await wait_for(job, request)
    answer = await run_in_threadpool(describe_pictures, job, asked, str(request.base_url))
    return JSONResponse(answer)


def _describe(summary: ModelSummary) -> dict[str, object]:
    return {
        "id": summary.name,
        "object": "model",
        "created": summary.created,
        "owned_by": "latelier",
    }


routes = [
    Route("/images/generations", generations, methods=["POST"]),
    Route("/images/edits", edits, methods=["POST"]),
    Route("/models", models),
    Route("/models/{name:path}", model),
]

files_route = Route("/files/{id}/{index:int}.png", file)
