"""Command-line options made from the fields of `Request`: names, types, ranges and texts."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Annotated, Any

import typer
from pydantic import ValidationError, create_model

from latelier.cli.support.values import (
    explain_invalid,
    json_or_text,
    read_guidance,
    read_named_options,
    read_size,
)
from latelier.contracts.errors import InvalidInputError, LatelierError
from latelier.contracts.frozen import Frozen
from latelier.pipeline.request import Request

Command = Callable[..., None]

Schema = Mapping[str, Any]

_LARGEST_SHOWN = 1_000_000
"""Larger maxima, such as that of a seed, are left out of the help."""

NOT_OPTIONS = {"inputs"}
"""Fields of the request that have an argument or options of their own."""


def add_request_options(after: str) -> Callable[[Command], Command]:
    """Replace the parameter **options of a command by one option for each field of `Request`.

    The command receives the text of every option, or None, and parses them with
    `read_request_options`.

    Args:
        after: the parameter after which the help lists them.
    """

    def add(command: Command) -> Command:
        signature = inspect.signature(command)
        parameters = []
        for each in signature.parameters.values():
            if each.kind is not each.VAR_KEYWORD:
                parameters.append(each.replace(kind=each.KEYWORD_ONLY))
            if each.name == after:
                parameters += [_parameter(name, field) for name, field in _fields().items()]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return command

    return add


def _parameter(name: str, field: Schema) -> inspect.Parameter:
    option = typer.Option(option_name(name), metavar=_metavar(field), help=_help(field))
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[str | None, option],
    )


def read_request_options(texts: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the value of each option that was given, validated by its field.

    Raises:
        InvalidInputError: a value is invalid; names the option.
    """
    fields = _fields()
    return {
        name: _read_option(name, fields[name], text)
        for name, text in texts.items()
        if text is not None
    }


@contextmanager
def name_options() -> Iterator[None]:
    """Let an error about a field of the request name its option: --size in place of size."""
    try:
        yield
    except LatelierError as error:
        field, text = error.field, str(error)
        if field in _fields() and text.startswith(f"{field}: "):
            named = re.sub(r"\w+", _option_of_word, text.removeprefix(f"{field}: "))
            error.args = (f"{option_name(field)}: {named}",)
        raise


def _option_of_word(word: re.Match[str]) -> str:
    """Return the option for the name of a field: `init_image`, or any after "needs "."""
    is_field = word[0] in _fields()
    is_meant = "_" in word[0] or word.string[: word.start()].endswith("needs ")
    return option_name(word[0]) if is_field and is_meant else word[0]


def option_name(field: str) -> str:
    """Return '--init-image' for 'init_image', '-n' for 'n'."""
    return f"-{field}" if len(field) == 1 else f"--{field.replace('_', '-')}"


@cache
def _fields() -> dict[str, Schema]:
    """Return field -> its JSON schema, with the schema of an optional value in place of anyOf."""
    schema = Request.model_json_schema()
    return {
        name: _without_null(field)
        for name, field in schema["properties"].items()
        if name not in NOT_OPTIONS
    }


def _without_null(field: Schema) -> Schema:
    present = [each for each in field.get("anyOf", ()) if each.get("type") != "null"]
    return {**field, **present[0]} if len(present) == 1 else field


def _read_option(name: str, field: Schema, text: str) -> Any:
    option = option_name(name)
    if field.get("type") == "object":  # of the first input, unless all inputs are named in JSON
        value = json_or_text(text)
        return value if isinstance(value, dict) else text
    return _validate(name, _parse(field, text, option), option)


def _validate(name: str, value: Any, option: str) -> Any:
    fields: dict[str, Any] = {
        name: (Request.model_fields[name].annotation, Request.model_fields[name])
    }
    model = create_model("Option", __base__=Frozen, **fields)
    try:
        return getattr(model.model_validate({name: value}), name)
    except ValidationError as error:
        reason = explain_invalid(error)
        got = "" if isinstance(value, str) and value in reason else f", got {value}"
        raise InvalidInputError(f"{option}: {reason}{got}", field=name) from None


def _parse(field: Schema, text: str, option: str) -> Any:
    """Return the value that a text stands for, before its validation."""
    if _is_pair(field):
        return read_size(text, option)
    if _is_guidance(field):
        return read_guidance(text, option)
    if _is_named_options(field):
        return read_named_options(text, option)
    return json_or_text(text) if field.get("type") in ("integer", "number") else text


_METAVARS = {"integer": "N", "number": "X"}


def _metavar(field: Schema) -> str:
    if "enum" in field:
        return "|".join(field["enum"])
    if _is_picture(field):
        return "FILE"
    if _is_pair(field):
        return "SIDE|WxH"
    if _is_guidance(field):
        return "SCALE|NAME[:KEY=VALUE,...]"
    if _is_named_options(field):
        return "NAME[:KEY=VALUE,...]"
    return _METAVARS.get(field["type"], "TEXT")


def _is_pair(field: Schema) -> bool:
    return "prefixItems" in field


def _is_picture(field: Schema) -> bool:
    return field.get("items", field).get("format") in ("image", "mask")


def _is_guidance(field: Schema) -> bool:
    return str(field.get("$ref", "")).endswith("/GuidanceOptions")


def _is_named_options(field: Schema) -> bool:
    return "$ref" in field


def _help(field: Schema) -> str:
    """Return the description of a field in terms of options, its default and its range."""
    text = re.sub(r"[.;,]? *None: ", ". Default: ", _name_options(field.get("description", "")))
    text = f"{text[:1].upper()}{text[1:]}".removesuffix(".")
    default = field.get("default")
    if default not in (None, {}):
        text += f". Default: {default}"
    bounds = _range(field)
    return f"{text}.  [{bounds}]" if bounds else f"{text}."


def _name_options(text: str) -> str:
    """Replace `init_image` by --init-image."""
    names = "|".join(Request.model_fields)
    return re.sub(rf"`({names})`", lambda match: option_name(match[1]), text)


def _range(field: Schema) -> str:
    """Return '0<=x<=0.9'; empty if the field has no bounds that matter to a person."""
    lower, least = field.get("exclusiveMinimum"), field.get("minimum")
    upper, most = field.get("exclusiveMaximum"), field.get("maximum")
    left = f"{lower}<" if lower is not None else f"{least}<=" if least is not None else ""
    right = f"<{upper}" if upper is not None else f"<={most}" if most is not None else ""
    if right and max(upper or 0, most or 0) <= _LARGEST_SHOWN:
        return f"{left}x{right}"
    return f"x>={least}" if least is not None else ""
