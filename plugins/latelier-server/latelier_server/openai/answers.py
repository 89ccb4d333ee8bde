"""Answers of OpenAI's images API: whole, and as a stream of events."""

import base64
import io
from collections.abc import AsyncIterator
from typing import Any

from PIL import Image
from starlette.concurrency import run_in_threadpool

from latelier_server.errors import envelope
from latelier_server.jobs.job import FinishedPicture, ServerJob
from latelier_server.openai.requests import Format, ImagesRequest
from latelier_server.sse import KEEP_ALIVE, format_event

USAGE = {
    "input_tokens": 0,
    "output_tokens": 0,
    "total_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
}
"""Clients expect the field; nothing is billed here."""


def describe_pictures(job: ServerJob, asked: ImagesRequest, base_url: str) -> dict[str, Any]:
    """Return the answer with all pictures of a job."""
    if asked.response_format == "url":
        data = [
            {"url": f"{base_url}files/{job.id}/{index}.png", "seed": picture.seed}
            for index, picture in enumerate(job.pictures)
        ]
    else:
        data = [
            {"b64_json": _encode(picture, asked.output_format), "seed": picture.seed}
            for picture in job.pictures
        ]
    return {
        "created": int(job.created),
        "data": data,
        "output_format": asked.output_format,
        "size": _size(job.pictures[0]),
        "usage": USAGE,
    }


async def stream_pictures(job: ServerJob, asked: ImagesRequest, kind: str) -> AsyncIterator[str]:
    """Send previews and then the pictures of a job; closing the stream cancels it.

    Args:
        job: the job.
        asked: the request.
        kind: of the events, such as "image_generation".
    """
    common: dict[str, Any] = {"created_at": int(job.created), "output_format": asked.output_format}
    common |= {"quality": "auto", "background": "opaque"}
    sent = 0
    try:
        async for _ in job.changes():
            due = int(job.progress * (asked.partial_images + 1))
            if job.is_done or sent >= min(due, asked.partial_images):
                yield KEEP_ALIVE
                continue
            preview = await job.encode_preview(asked.output_format.upper())
            if preview is not None:
                event: dict[str, Any] = {
                    "type": f"{kind}.partial_image",
                    "b64_json": base64.b64encode(preview).decode(),
                    "partial_image_index": sent,
                    "size": "auto",
                    **common,
                }
                yield format_event(event, event["type"])
                sent += 1
        if job.error is not None:
            yield format_event(envelope("/v1/", job.error), "error")
            return
        for picture in job.pictures:
            event = {
                "type": f"{kind}.completed",
                "b64_json": await run_in_threadpool(_encode, picture, asked.output_format),
                "size": _size(picture),
                "seed": picture.seed,
                "usage": USAGE,
                **common,
            }
            yield format_event(event, event["type"])
    finally:
        job.cancel()


def _encode(picture: FinishedPicture, file_format: Format) -> str:
    """Return a picture in base64. A PNG has its provenance."""
    data = picture.data
    if file_format != "png":
        buffer = io.BytesIO()
        Image.open(io.BytesIO(data)).save(buffer, file_format.upper(), quality=95)
        data = buffer.getvalue()
    return base64.b64encode(data).decode()


def _size(picture: FinishedPicture) -> str:
    return f"{picture.width}x{picture.height}"
