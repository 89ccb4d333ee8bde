"""Errors as clients see them: a status, a sentence, and the envelope of the API that they use."""

from math import ceil
from typing import Any

from latelier.contracts.errors import (
    AmbiguousNameError,
    CompatibilityError,
    ConditionError,
    DeadlineError,
    EngineError,
    InvalidConfigError,
    InvalidInputError,
    JobCancelledError,
    LatelierError,
    LimitError,
    QueueFullError,
    UnknownNameError,
)
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

_MISTAKES = (
    AmbiguousNameError,
    CompatibilityError,
    ConditionError,
    InvalidConfigError,
    InvalidInputError,
    UnknownNameError,
)
"""Errors that the client can fix."""

_PHRASES = {
    404: "there is no such page or picture",
    405: "this method is not allowed here",
}


_ANSWERS: tuple[tuple[type[Exception], int, str, str], ...] = (
    (QueueFullError, 429, "queue_full", "the queue is full; try again later"),
    (DeadlineError, 504, "deadline_exceeded", ""),
    (JobCancelledError, 409, "cancelled", ""),
    (EngineError, 503, "unavailable", "the model has stopped; try again later"),
    (LatelierError, 500, "failed", ""),
)
"""Class of an error -> status, code, message instead of its own."""


class ServerError(Exception):
    """An answer that is not a success.

    Attributes:
        status: of HTTP.
        message: for people.
        code: for programs.
        field: of the request, at fault.
        reason: the message without the field in front, for a client that has another name for it.
        retry_after: seconds after which another attempt makes sense.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str,
        *,
        field: str | None = None,
        reason: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(status, message, code)  # so that the error can be pickled
        self.status = status
        self.message = message
        self.code = code
        self.field = field
        self.reason = reason
        self.retry_after = retry_after

    def __str__(self) -> str:
        """Return the message."""
        return self.message

    def headers(self) -> dict[str, str]:
        """Return the headers of the answer."""
        headers = {}
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, ceil(self.retry_after)))
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return headers


def mistake(message: str, field: str | None = None) -> ServerError:
    """Return the error of a request that the client has to change."""
    return ServerError(400, message, "invalid_request", field=field)


def wrong_type(field: str, value: object) -> ServerError:
    """Return the error of a value that is of another type than its field."""
    return field_mistake(field, f"{value!r:.80} is of another type than expected")


def field_mistake(field: str | None, reason: str) -> ServerError:
    """Return the error 'field: reason' of a request that the client has to change."""
    message = f"{field}: {reason}"
    return ServerError(400, message, "invalid_request", field=field, reason=reason)


def not_found(what: str) -> ServerError:
    """Return the error of something that is not there, or not the client's."""
    return ServerError(404, f"there is no such {what}", "not_found")


def to_server_error(error: BaseException) -> ServerError:
    """Return what a client is told of an error; of a bug it is told nothing."""
    if isinstance(error, ServerError):
        return error
    if isinstance(error, HTTPException):
        message = _PHRASES.get(error.status_code, error.detail)
        return ServerError(error.status_code, message, "http_error")
    if isinstance(error, _MISTAKES):
        if isinstance(error, LimitError):
            return field_mistake(error.field, error.excess)
        reason = error.reason
        return ServerError(400, str(error), "invalid_request", field=error.field, reason=reason)
    for kind, status, code, message in _ANSWERS:
        if isinstance(error, kind):
            retry_after = error.retry_after if isinstance(error, QueueFullError) else None
            return ServerError(status, message or str(error), code, retry_after=retry_after)
    return ServerError(500, "the server made a mistake; its log has the details", "internal_error")


def respond(path: str, error: ServerError) -> JSONResponse:
    """Return the answer to a request of a path, in the envelope of its API."""
    is_unprocessable = error.status == 400 and path.startswith("/sdapi/")
    status = 422 if is_unprocessable else error.status
    headers = error.headers()
    if status == 401 and path.startswith("/api/"):  # a browser then asks for the key
        headers["WWW-Authenticate"] = 'Basic realm="latelier"'
    return JSONResponse(envelope(path, error), status, headers)


def envelope(path: str, error: ServerError) -> dict[str, Any]:
    """Return an error as the API of a path has it."""
    if path.startswith("/v1/"):
        kind = "invalid_request_error" if error.status < 500 else "server_error"
        body = {"message": error.message, "type": kind, "param": error.field, "code": error.code}
        return {"error": body}
    if path.startswith("/sdapi/"):
        return {"error": error.code, "detail": error.message, "body": "", "errors": error.message}
    return {"error": describe_error(error)}


def describe_error(error: ServerError) -> dict[str, Any]:
    """Return an error as our own API has it."""
    return {
        "message": error.message,
        "code": error.code,
        "field": error.field,
        "reason": error.reason,
    }


async def handle(request: Request, error: Exception) -> JSONResponse:
    """Answer a request that raised an error."""
    return respond(request.url.path, to_server_error(error))
