"""Reading the bodies of requests."""

import base64
import json
from collections.abc import Iterator
from math import isfinite
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from latelier_server.errors import ServerError, field_mistake, mistake

MAX_PARTS = 64
"""Most fields and files of a form."""


async def read_json(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request.

    Raises:
        ServerError: the body is of another type, no JSON object, or has numbers that are not
            finite, or text that is not Unicode.
    """
    _check_type(request, "application/json")
    try:
        body = await request.body()
        value = json.loads(body, parse_constant=finite_number, parse_float=finite_number)
    except (ValueError, RecursionError):
        raise mistake("the body is not valid JSON") from None
    if not isinstance(value, dict):
        raise mistake("the body is not a JSON object")
    if not all(map(_is_unicode, _texts(value))):
        raise mistake("a text has characters that are not valid Unicode")
    return value


async def read_form(request: Request) -> FormData:
    """Return the fields of a multipart form.

    Raises:
        ServerError: the body is of another type, or not a valid form.
    """
    _check_type(request, "multipart/form-data")
    try:
        return await request.form(max_files=MAX_PARTS, max_fields=MAX_PARTS)
    except (MultiPartException, ValueError):
        raise mistake("the body is not a valid form") from None


async def read_file(form: FormData, *names: str) -> bytes | None:
    """Return the bytes of the one file under some names; None if there is none.

    Raises:
        ServerError: there are several, or the field is not a file.
    """
    found = [each for name in names for each in form.getlist(name)]
    if not found:
        return None
    if len(found) > 1 or not isinstance(found[0], UploadFile):
        raise mistake(f"'{names[0]}': expected one file", names[0])
    return await found[0].read()


def _check_type(request: Request, expected: str) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip()
    if given != expected:
        raise ServerError(415, f"expected a body of the type {expected}", "unsupported_type")


def finite_number(text: str) -> float:
    """Return the number that a text has.

    Raises:
        ValueError: it has none, or one that is not finite.
    """
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts in a JSON value, keys included."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list):
            waiting += each


def _is_unicode(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def decode_base64(value: Any, field: str) -> bytes:
    """Return the bytes of base64, with or without the head of a data URI.

    Raises:
        ServerError: it is none.
    """
    try:
        return base64.b64decode(value.rpartition(",")[2], validate=True)
    except (AttributeError, ValueError):
        raise field_mistake(field, "expected a picture in base64") from None
