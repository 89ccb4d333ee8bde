"""The routes of A1111's API that its clients need."""

import base64
import io
from typing import Any

from latelier.kernel.default import default_atelier
from latelier.pipeline.replay.record import read_client_record
from latelier.provenance.image_files import provenance_of
from latelier.provenance.settings import format_infotext
from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from latelier_server.a1111.fields import read_field
from latelier_server.a1111.hires import LATENT_UPSCALERS, UPSCALERS
from latelier_server.a1111.info import describe_info
from latelier_server.a1111.requests import A1111Request, model_of, read_request
from latelier_server.access.rates import MAX_CLIENTS
from latelier_server.bodies import decode_base64, read_json
from latelier_server.errors import ServerError
from latelier_server.jobs.job import ServerJob
from latelier_server.jobs.submission import JobRunner, Submission
from latelier_server.waiting import wait_for


async def txt2img(request: Request) -> Response:
    """Make pictures of a prompt."""
    return await _answer(request, await read_json(request))


async def img2img(request: Request) -> Response:
    """Make pictures from a picture; with a mask only what is white in it is repainted."""
    fields = await read_json(request)
    if not fields.get("init_images"):
        raise ServerError(404, "Init image not found", "not_found", field="init_images")
    return await _answer(request, fields)


async def progress(request: Request) -> Response:
    """Return the progress of the client's newest job that goes on."""
    job = _current_job(request)
    is_skipped = request.query_params.get("skip_current_image", "").lower() == "true"
    preview = None if job is None or is_skipped else await job.encode_preview("PNG")
    state = {
        "skipped": False,
        "interrupted": False,
        "stopping_generation": False,
        "job": "" if job is None else job.id[:8],
        "job_count": 0 if job is None else 1,
        "job_timestamp": "0" if job is None else str(int(job.created)),
        "job_no": 0,
        "sampling_step": 0 if job is None else job.step,
        "sampling_steps": 0 if job is None else job.steps,
    }
    answer = {
        "progress": 0.0 if job is None else job.progress,
        "eta_relative": 0.0 if job is None else job.seconds_left,
        "state": state,
        "current_image": None if preview is None else base64.b64encode(preview).decode(),
        "textinfo": None,
    }
    return JSONResponse(answer)


async def interrupt(request: Request) -> Response:
    """Cancel the client's newest job that goes on."""
    job = _current_job(request)
    if job is not None:
        job.cancel()
    return JSONResponse({})


async def get_options(request: Request) -> Response:
    """Return the model that requests without one use."""
    return JSONResponse({"sd_model_checkpoint": _chosen_model(request), "sd_vae": "None"})


async def set_options(request: Request) -> Response:
    """Choose the model that the client's further requests without one use."""
    name = (await read_json(request)).get("sd_model_checkpoint")
    if name is not None:
        if name not in _runner(request).pool.summaries:
            raise ServerError(404, "there is no such model", "not_found")
        chosen: dict[str, str] = request.app.state.a1111_models
        chosen.pop(request.state.client.id, None)
        chosen[request.state.client.id] = name
        if len(chosen) > MAX_CLIENTS:
            del chosen[next(iter(chosen))]
    return JSONResponse({})


async def sd_models(request: Request) -> Response:
    """List the models."""
    pool = _runner(request).pool
    return JSONResponse(
        [
            {
                "title": name,
                "model_name": name,
                "hash": None,
                "sha256": None,
                "filename": name,
                "config": None,
            }
            for name in pool.summaries
        ]
    )


async def samplers(_: Request) -> Response:
    """List the samplers."""
    found = [
        {"name": name, "aliases": [], "options": {}}
        for name in default_atelier().samplers.names()
        if not getattr(default_atelier().samplers.spec(name).traits, "is_inversion", False)
    ]
    return JSONResponse(found)


async def schedulers(_: Request) -> Response:
    """List the schedules."""
    found = [
        {
            "name": name,
            "label": name,
            "aliases": None,
            "default_rho": -1.0,
            "need_inner_model": False,
        }
        for name in default_atelier().schedules.names()
    ]
    return JSONResponse(found)


async def png_info(request: Request) -> Response:
    """Return how a picture was made."""
    data = decode_base64((await read_json(request)).get("image"), "image")
    image, record = await _runner(request).read(read_client_record, data)
    request_ = record.request.model_dump(mode="json")
    prompts = [text for text in request_["inputs"].values() if isinstance(text, list)]
    prompt = str(prompts[0][0]) if prompts and isinstance(prompts[0][0], str) else ""
    seed = record.request.seed + record.index
    model = (record.model.name or "").rpartition("/")[2]
    text = format_infotext(prompt, "", request_, seed, image.size, model)
    return JSONResponse({"info": text, "items": {"parameters": text}, "parameters": {}})


async def scripts(_: Request) -> Response:
    """List no scripts."""
    return JSONResponse({"txt2img": [], "img2img": []})


async def upscalers(_: Request) -> Response:
    """List what enlarges pictures for a second pass."""
    other = {"model_name": None, "model_path": None, "model_url": None, "scale": 4}
    return JSONResponse([{"name": name, **other} for name in UPSCALERS])


async def latent_upscale_modes(_: Request) -> Response:
    """List the names that are understood besides."""
    return JSONResponse([{"name": name} for name in LATENT_UPSCALERS])


async def nothing(_: Request) -> Response:
    """List nothing: LoRAs, embeddings and the like, which this server does not have."""
    return JSONResponse([])


async def no_entries(_: Request) -> Response:
    """Return no entries."""
    return JSONResponse({})


async def _answer(request: Request, fields: dict[str, Any]) -> Response:
    """Run a job, or two for a second pass, and answer with the pictures."""
    runner, limits = _runner(request), request.app.state.settings.limits
    name = model_of(fields) or _chosen_model(request)
    async with runner.pool.use(name) as model:
        asked = await model.compute(read_request, fields, limits.pixels)
    submission = Submission(name, asked.request, is_kept=asked.hires is None)
    job = await _run(request, submission)
    if asked.hires is not None:
        second = await runner.read(asked.hires.request, asked.request, job.pictures)
        job = await _run(request, Submission(name, second))
    return JSONResponse(await run_in_threadpool(_describe, job, asked))


async def _run(request: Request, submission: Submission) -> ServerJob:
    """Return the job of a submission, which has ended with pictures."""
    job = await _runner(request).submit(request.state.client, submission)
    await wait_for(job, request)
    return job


def _describe(job: ServerJob, asked: A1111Request) -> dict[str, Any]:
    """Return the answer to txt2img and img2img."""
    pictures = [picture.data for picture in job.pictures]
    if asked.part is not None:
        pictures = [asked.part.put_back(data) for data in pictures]
    if not read_field(asked.fields, "send_images", int, 1):
        pictures = []
    return {
        "images": [base64.b64encode(data).decode() for data in pictures],
        "parameters": asked.fields,
        "info": describe_info(job, asked.fields, _request_of(job)),
    }


def _request_of(job: ServerJob) -> dict[str, Any]:
    """Return the request as it ran."""
    with Image.open(io.BytesIO(job.pictures[0].data)) as image:
        request: dict[str, Any] = provenance_of(image, "picture")["request"]
    return request


def _current_job(request: Request) -> ServerJob | None:
    jobs = _runner(request).store.of(request.state.client.owner)
    return next((job for job in jobs if not job.is_done), None)


def _chosen_model(request: Request) -> str:
    chosen: dict[str, str] = request.app.state.a1111_models
    return chosen.get(request.state.client.id, _runner(request).pool.default)


def _runner(request: Request) -> JobRunner:
    runner: JobRunner = request.app.state.runner
    return runner


routes = [
    Route("/txt2img", txt2img, methods=["POST"]),
    Route("/img2img", img2img, methods=["POST"]),
    Route("/progress", progress),
    Route("/interrupt", interrupt, methods=["POST"]),
    Route("/skip", interrupt, methods=["POST"]),
    Route("/options", get_options),
    Route("/options", set_options, methods=["POST"]),
    Route("/sd-models", sd_models),
    Route("/samplers", samplers),
    Route("/schedulers", schedulers),
    Route("/png-info", png_info, methods=["POST"]),
    Route("/scripts", scripts),
    Route("/script-info", nothing),
    Route("/upscalers", upscalers),
    Route("/latent-upscale-modes", latent_upscale_modes),
    Route("/loras", nothing),
    Route("/sd-vae", nothing),
    Route("/prompt-styles", nothing),
    Route("/face-restorers", nothing),
    Route("/embeddings", no_entries),
    Route("/memory", no_entries),
    Route("/cmd-flags", no_entries),
]
