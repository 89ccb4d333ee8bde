"""Jobs: submit, follow, fetch, cancel. A job goes on when its client goes away."""

import base64
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from latelier_server.api.views import describe_job
from latelier_server.bodies import read_json
from latelier_server.errors import field_mistake, wrong_type
from latelier_server.jobs.job import ServerJob
from latelier_server.jobs.submission import JobRunner, Submission
from latelier_server.sse import KEEP_ALIVE, format_event, stream_events


async def submit_job(request: Request) -> Response:
    """Accept a request: that of `/api/models/NAME`, and fields of the server's own."""
    body = await read_json(request)
    runner: JobRunner = request.app.state.runner
    job = await runner.submit(request.state.client, _read_submission(body))
    return JSONResponse(describe_job(job), 202)


async def list_jobs(request: Request) -> Response:
    """Return the jobs of the client that are still known, the newest first."""
    found = request.app.state.runner.store.of(request.state.client.owner)
    return JSONResponse({"jobs": [describe_job(job) for job in found]})


async def get_job(request: Request) -> Response:
    """Return the state of a job."""
    return JSONResponse(describe_job(find_job(request)))


async def cancel_job(request: Request) -> Response:
    """Stop a job before its next step."""
    job = find_job(request)
    job.cancel()
    return JSONResponse(describe_job(job), 202)


async def job_picture(request: Request) -> Response:
    """Return a finished picture, a PNG with its provenance."""
    job = find_job(request)
    data = request.app.state.runner.store.picture(job.id, request.path_params["index"])
    return Response(data, media_type="image/png")


async def job_events(request: Request) -> Response:
    """Send the state of a job now and after each change, with `?previews=1` its preview too."""
    has_previews = request.query_params.get("previews") == "1"
    return stream_events(_events(find_job(request), has_previews))


def find_job(request: Request) -> ServerJob:
    """Return the job that a path names, if it is the client's."""
    store = request.app.state.runner.store
    job: ServerJob = store.get(request.path_params["id"], request.state.client.owner)
    return job


async def _events(job: ServerJob, has_previews: bool) -> AsyncIterator[str]:
    sent: dict[str, Any] | None = None
    shown = -1, -1
    async for _ in job.changes():
        state = describe_job(job)
        if state == sent:
            yield KEEP_ALIVE
            continue
        yield format_event(state, "state")
        sent = state
        if has_previews and not job.is_done and shown != (job.batch, job.step):
            shown = job.batch, job.step
            data = await job.encode_preview()
            if data is not None:
                uri = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
                yield format_event({"step": shown[1], "steps": job.steps, "image": uri}, "preview")


def _read_submission(body: dict[str, Any]) -> Submission:
    """Take what is the server's out of a request, and leave the model's."""
    types = {"model": str, "keep": bool, "seconds": int | float, "adapter_scales": dict}
    options = {name: body.pop(name, None) for name in types}
    for name, value in options.items():
        if value is not None and not isinstance(value, types[name]):
            raise wrong_type(name, value)
    seconds = options["seconds"]
    if seconds is not None and seconds <= 0:
        raise field_mistake("seconds", "expected a number above 0")
    return Submission(
        options["model"],
        body,
        seconds,
        options["keep"] is not False,
        adapter_scales=options["adapter_scales"] or {},
    )


routes = [
    Route("/jobs", submit_job, methods=["POST"]),
    Route("/jobs", list_jobs),
    Route("/jobs/{id}", get_job),
    Route("/jobs/{id}", cancel_job, methods=["DELETE"]),
    Route("/jobs/{id}/events", job_events),
    Route("/jobs/{id}/pictures/{index:int}", job_picture),
]
