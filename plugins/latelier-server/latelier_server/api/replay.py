"""An uploaded picture: the settings that made it, and whether they make it again."""

from pathlib import Path
from typing import Any

from latelier.contracts.errors import NoProvenanceError
from latelier.pipeline.picture import Picture
from latelier.pipeline.pipeline import Pipeline
from latelier.pipeline.replay.record import Record, read_client_record
from latelier.pipeline.replay.replay import compare
from latelier.provenance.pixels import pixel_hash
from PIL.Image import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from latelier_server.api.views import describe_job
from latelier_server.errors import ServerError
from latelier_server.jobs.submission import JobRunner, Submission
from latelier_server.models.pool import ModelPool


async def read_settings(request: Request) -> Response:
    """Return the model and the request that made the picture in the body, and its own seed."""
    image, record = await _read(request)
    pool: ModelPool = request.app.state.runner.pool
    name = _served_name(record, pool)
    answer = {
        "model": name,
        "is_served": name in pool.summaries,
        "request": record.request.model_dump(mode="json", exclude_none=True),
        "adapter_scales": _scales(record),
        "index": record.index,
        "seed": record.request.seed + record.index,
        "drew": [{"name": each.name} for each in record.drew],
        "altered": pixel_hash(image) != record.pixels_sha256,
    }
    return JSONResponse(answer)


async def replay_picture(request: Request) -> Response:
    """Make the picture in the body again, as a job whose result is the verdict."""
    image, record = await _read(request)
    runner: JobRunner = request.app.state.runner
    name = _served_name(record, runner.pool)
    if name not in runner.pool.summaries:
        raise ServerError(404, "the model of the picture is not served here", "model_not_found")
    async with runner.pool.use(name) as model:

        async def check(pictures: list[Picture]) -> dict[str, Any]:
            return await model.compute(_compare, image, record, pictures)

        submission = Submission(
            name,
            record.request.model_dump(mode="json"),
            is_kept=False,
            check=check,
            adapter_scales=_scales(record),
        )
        job = await runner.submit(request.state.client, submission)
    return JSONResponse(describe_job(job), 202)


def _scales(record: Record) -> dict[str, float]:
    """Return the scales of the adapters with which a picture was made, by their inputs."""
    used, inputs = record.adapters.items(), record.request.inputs
    return {name: each.scale for name, each in used if name in inputs}


async def _read(request: Request) -> tuple[Image, Record]:
    if not request.headers.get("content-type", "").startswith("image/"):
        raise ServerError(415, "expected the bytes of a picture as the body", "unsupported_type")
    runner: JobRunner = request.app.state.runner
    try:
        return await runner.read(read_client_record, await request.body())
    except NoProvenanceError as error:
        raise ServerError(400, str(error), "no_provenance") from None


def _served_name(record: Record, pool: ModelPool) -> str | None:
    """Return the name under which the server has the model of a picture, else its own name."""
    recorded = record.model.name
    for summary in pool.summaries.values():
        if recorded is not None and recorded in (summary.place, str(Path(summary.place).resolve())):
            return summary.name
    return None if recorded is None else Path(recorded).name


def _compare(
    pipe: Pipeline, image: Image, record: Record, pictures: list[Picture]
) -> dict[str, Any]:
    """Return the verdict on a picture that was made again with the rest of its run."""
    if record.index >= len(pictures):
        raise ServerError(400, "the provenance contradicts itself", "invalid_request")
    used = pipe.without_unused_adapters(record.adapters).with_adapter_scales(_scales(record))
    report = compare(image, record, used, pictures[record.index])
    return {
        "index": record.index,
        "verdict": report.verdict,
        "max_difference": report.max_difference,
        "altered": report.altered,
        "differences": list(report.differences),
    }


routes = [
    Route("/read", read_settings, methods=["POST"]),
    Route("/replay", replay_picture, methods=["POST"]),
]
