"""Server-sent events (text/event-stream)."""

import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import StreamingResponse

KEEP_ALIVE = ": still here\n\n"
"""A comment, which clients ignore: it keeps proxies from closing a quiet stream."""


def format_event(data: Any, event: str | None = None) -> str:
    """Return an event with JSON data."""
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(data)}\n\n"


def stream_events(events: AsyncIterator[str]) -> StreamingResponse:
    """Return an answer that sends events as they come."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)
