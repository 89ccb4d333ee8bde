"""Command-line options made from the fields of `Request`, and the values that they hold."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from pydantic import ValidationError, create_model

from latelier.cli.options.option_help import (
    metavar,
    option_help,
    option_name,
    request_fields,
    value_kind,
    with_option_names,
)
from latelier.cli.options.values import (
    explain_invalid,
    json_or_text,
    read_guidance,
    read_named_options,
    read_size,
)
from latelier.contracts.errors import InvalidInputError, LatelierError
from latelier.contracts.frozen import Frozen
from latelier.contracts.messages import shorten
from latelier.pipeline.request import Request

Command = Callable[..., None]

_PARSERS: dict[str, Callable[[str, str], Any]] = {
    "integer": json_or_text,
    "number": json_or_text,
    "size": read_size,
    "named-options": read_named_options,
    "guidance": read_guidance,
}
"""Kind of value -> what parses its text, given the option for errors. Others stay text."""


def add_request_options(after: str) -> Callable[[Command], Command]:
    """Replace the parameter **options of a command by one option for each field of `Request`.

    The command receives the text of every option, or None, and parses them with
    `read_request_options`. Example: from the field `size: Size` come the parameter `size`, the
    option `--size SIDE|WxH` with the field's description as its help, and from the text "64x32" the
    value (64, 32).

    Args:
        after: the parameter after which the help lists them.
    """

    def add(command: Command) -> Command:
        signature = inspect.signature(command)
        parameters = []
        for parameter in signature.parameters.values():
            if parameter.kind is not parameter.VAR_KEYWORD:
                # The options are keyword-only: no other kind may follow them.
                parameters.append(parameter.replace(kind=parameter.KEYWORD_ONLY))
            if parameter.name == after:
                parameters += [_option_parameter(name) for name in request_fields()]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return command

    return add


def read_request_options(texts: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the value of each option that was given, validated by its field.

    Raises:
        InvalidInputError: a value is invalid; names the option.
    """
    return {name: _read_option(name, text) for name, text in texts.items() if text is not None}


@contextmanager
def errors_with_option_names() -> Iterator[None]:
    """Name options instead of fields of the request in errors: --init-image for `init_image`."""
    try:
        yield
    except LatelierError as error:
        text = str(error)
        if error.field in request_fields() and error.reason is not None:
            text = f"`{error.field}`: {error.reason}"
        named = with_option_names(text)
        if named == str(error):
            raise
        raise InvalidInputError(named, field=error.field) from error


def _option_parameter(name: str) -> inspect.Parameter:
    field = request_fields()[name]
    option = typer.Option(option_name(name), metavar=metavar(field), help=option_help(field))
    annotation = Annotated[str | None, option]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _read_option(name: str, text: str) -> Any:
    kind, option = value_kind(request_fields()[name]), option_name(name)
    if kind == "object":  # text is a value of the first input; JSON names the inputs
        value = json_or_text(text, option)
        return value if isinstance(value, dict) else text
    parse = _PARSERS.get(kind)
    return _validate(name, text if parse is None else parse(text, option), option)


def _validate(name: str, value: Any, option: str) -> Any:
    """Return a value as the field of that name holds it, validated without the other fields."""
    field = Request.model_fields[name]
    fields: dict[str, Any] = {name: (field.annotation, field)}
    model = create_model("Option", __base__=Frozen, **fields)
    try:
        return getattr(model.model_validate({name: value}), name)
    except ValidationError as error:
        reason = explain_invalid(error)
        got = "" if isinstance(value, str) and value in reason else f", got {shorten(str(value))}"
        raise InvalidInputError(f"{option}: {reason}{got}", field=name) from None
