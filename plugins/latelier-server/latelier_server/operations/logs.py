"""Structured logs: a line of JSON for each answer. Nothing of a request's content is in it."""

import json
import logging
import secrets
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from latelier_server.errors import respond, to_server_error
from latelier_server.operations.faults import log_fault
from latelier_server.operations.metrics import Metrics

access_log = logging.getLogger("latelier_server.access")

UNMATCHED = "unmatched"
"""The endpoint of a path that is none of ours, or of a request that was refused before."""


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON, whatever characters are in it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class AccessLog:
    """Logs and counts each answer: by endpoint, never by path or query."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and log how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, id_ = time.perf_counter(), 499, secrets.token_hex(8)

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = id_
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        except Exception as error:  # its text may quote the request: only its place is logged
            log_fault("a request failed", error)
            if status != 499:
                raise ConnectionError("the answer was cut off by a fault") from None
            answer = respond(scope["path"], to_server_error(error))
            await answer(scope, receive, note_status)
        finally:
            endpoint = getattr(scope.get("endpoint"), "__name__", UNMATCHED)
            self._metrics.requests.labels(endpoint, status).inc()
            client = scope.get("state", {}).get("client")
            fields = {
                "request": id_,
                "method": scope["method"] if scope["method"].isalpha() else "?",
                "endpoint": endpoint,
                "status": status,
                "milliseconds": round(1000 * (time.perf_counter() - start), 1),
                "client": client.id if client else None,
            }
            access_log.info("answered", extra={"fields": fields})


def set_up_logs(level: str) -> None:
    """Write the logs of this process to the standard error as lines of JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.captureWarnings(True)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # what latelier logs of a prompt, such as words that a model does not know, quotes it
    logging.getLogger("latelier.pipeline").setLevel(logging.ERROR)
