"""Parse option values: sizes, names with options, pictures, JSON."""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frozen import Frozen
from latelier.contracts.images.types import Image
from latelier.io.user_folders import expand_home


def read_size(text: str, option: str) -> tuple[int, int]:
    """Return (width, height) in pixels from '64' or '64x48'.

    Raises:
        InvalidInputError: the text is neither; names the option.
    """
    sides = re.fullmatch(r"(\d+)(?:[xX](\d+))?", text)
    if sides is None:
        raise InvalidInputError(f"{option}: expected a number or WIDTHxHEIGHT, got '{text}'")
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
        options[key.strip()] = json_or_text(value)
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
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason: object = error.strerror or error
    except ValueError as error:
        reason = error
    raise InvalidInputError(f"{option}: '{path}' cannot be read as JSON: {reason}")


def explain_invalid(error: ValidationError) -> str:
    """Return the first reason of a validation error, without the name of the field."""
    return str(error.errors()[0]["msg"].removeprefix("Value error, "))


def json_or_text(text: str) -> Any:
    """Return the JSON value of a text, or the text itself if it is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


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
    return False
