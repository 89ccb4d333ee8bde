"""Parse option values: sizes, names with options, pictures, JSON."""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frozen import Frozen
from latelier.contracts.images.types import Image
from latelier.contracts.inputs import MAX_DEPTH, is_too_deep
from latelier.contracts.messages import shorten
from latelier.io.user_folders import expand_home

_MAX_DIGITS = 9
"""Most digits of the side of a picture."""


def read_size(text: str, option: str) -> tuple[int, int]:
    """Return (width, height) in pixels from '64' or '64x48'.

    Raises:
        InvalidInputError: the text is neither; names the option.
    """
    sides = re.fullmatch(r"(\d+)(?:[xX](\d+))?", text)
    if sides is None or max(len(side or "") for side in sides.groups()) > _MAX_DIGITS:
        raise InvalidInputError(
            f"{option}: expected a number or WIDTHxHEIGHT, got '{shorten(text)}'"
        )
    return int(sides[1]), int(sides[2] or sides[1])


def read_named_options(text: str, option: str) -> dict[str, Any]:
    """Return `name` and `options` from 'name', 'name:key=value,key=value' or '@FILE.json'.

    Raises:
        InvalidInputError: the text or the file is none of these; names the option.
    """
    if text.startswith("@"):
        return _read_named_options_file(expand_home(text[1:]), option)
    name, _, rest = text.partition(":")
    options: dict[str, Any] = {}
    for pair in _split_pairs(rest) if rest else []:
        key, equals, value = pair.partition("=")
        if not (name and key and equals) or key in options:
            raise InvalidInputError(f"{option}: expected name:key=value,key=value, got '{text}'")
        options[key.strip()] = json_or_text(value, option)
    return {"name": name, "options": options}


def read_guidance(text: str, option: str = "--guidance") -> float | dict[str, Any]:
    """Return a number as the scale, anything else as `read_named_options` does.

    Raises:
        InvalidInputError: the text is neither; names the option.
    """
    try:
        return float(text)
    except ValueError:
        return read_named_options(text, option)


class _Picture(Frozen):
    image: Image


def read_picture(path: Path, option: str) -> Any:
    """Return the picture in a file as a PIL image of mode RGB.

    Raises:
        InvalidInputError: the file cannot be read as a picture; names the option.
    """
    try:
        return _Picture.model_validate({"image": str(expand_home(path))}).image
    except ValidationError as error:
        raise InvalidInputError(f"{option}: {explain_invalid(error)}") from None


def read_json_file(path: Path, option: str) -> Any:
    """Return the content of a JSON file.

    Raises:
        InvalidInputError: the file cannot be read as JSON; names the option.
    """
    try:
        return _parse_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason: object = error.strerror or error
    except ValueError as error:
        reason = error
    raise InvalidInputError(f"{option}: '{path}' cannot be read as JSON: {reason}")


def explain_invalid(error: ValidationError) -> str:
    """Return the first reason of a validation error, without the name of the field."""
    return str(error.errors()[0]["msg"].removeprefix("Value error, "))


def json_or_text(text: str, option: str) -> Any:
    """Return the JSON value of a text, or the text itself if it is not JSON.

    Raises:
        InvalidInputError: the JSON is nested too deep; names the option.
    """
    try:
        return _parse_json(text)
    except _TooDeepError as error:
        raise InvalidInputError(f"{option}: {error}, got '{shorten(text)}'") from None
    except ValueError:
        return text


class _TooDeepError(ValueError):
    """JSON that is nested too deep."""

    def __init__(self) -> None:
        super().__init__(f"expected JSON nested at most {MAX_DEPTH} levels deep")


def _parse_json(text: str) -> Any:
    """Return the value of JSON.

    Raises:
        ValueError: the text is not JSON, or is nested too deep, or has a number with more digits
            than Python converts.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise _TooDeepError from None
    if is_too_deep(value):
        raise _TooDeepError
    return value


def _read_named_options_file(path: Path, option: str) -> dict[str, Any]:
    value = read_json_file(path, option)
    if not (isinstance(value, dict) and isinstance(value.get("name"), str)):
        raise InvalidInputError(f"{option}: expected an object with a name in '{path}'")
    return value


def _split_pairs(text: str) -> list[str]:
    """Split at commas, except inside JSON values."""
    pairs: list[str] = []
    for part in text.split(","):
        if pairs and _is_open(pairs[-1]):
            pairs[-1] += f",{part}"
        else:
            pairs.append(part)
    return pairs


def _is_open(pair: str) -> bool:
    """Return whether the value of 'key=value' is the beginning of an unfinished JSON value."""
    value = pair.partition("=")[2].lstrip()
    if not value.startswith(("{", "[", '"')):
        return False
    try:
        json.JSONDecoder().raw_decode(value)
    except ValueError:
        return True
    except RecursionError:  # parsing the value reports it
        return False
    return False
