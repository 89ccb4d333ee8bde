"""The fields of `Request` as options of a command line: their names, forms and help."""

import re
from collections.abc import Mapping
from functools import cache
from math import inf
from typing import Any

from latelier.pipeline.request import Request

Schema = Mapping[str, Any]
"""The JSON schema of a field."""

_FIELD = re.compile(r"`(\w+)(?:=([^`]*))?`")
"""A field in a text, or a field with a value."""

_NOT_OPTIONS = {"inputs"}
"""Fields of the request that have an argument or options of their own."""

_LARGEST_SHOWN = 1_000_000
"""Maxima above this are not shown in the help."""

_METAVARS = {
    "integer": "N",
    "number": "X",
    "image": "FILE",
    "mask": "FILE",
    "name": "NAME",
    "size": "SIDE|WxH",
    "named-options": "NAME[:KEY=VALUE,...]",
    "guidance": "SCALE|NAME[:KEY=VALUE,...]",
}


@cache
def request_fields() -> dict[str, Schema]:
    """Return field -> its JSON schema, without null and references."""
    schema = Request.model_json_schema()
    return {
        name: _resolve(field, schema["$defs"])
        for name, field in schema["properties"].items()
        if name not in _NOT_OPTIONS
    }


def option_name(field: str) -> str:
    """Return '--init-image' for 'init_image', '-n' for 'n'."""
    return f"-{field}" if len(field) == 1 else f"--{field.replace('_', '-')}"


def with_option_names(text: str) -> str:
    """Return a text about a request in the words of the command line.

    It has the option --init-image for each field `init_image` in backticks, and --window 64 for
    `window=64`.
    """

    def name_option(found: re.Match[str]) -> str:
        field, value = found.groups()
        if field not in request_fields():
            return found[0]
        return option_name(field) if value is None else f"{option_name(field)} {value}"

    return _FIELD.sub(name_option, text)


def value_kind(field: Schema) -> str:
    """Return the format of a field's values, else their type, else 'any'."""
    values = field.get("items", field)
    return str(values.get("format") or field.get("type", "any"))


def metavar(field: Schema) -> str:
    """Return how a value of a field is written: 'N', 'SIDE|WxH', 'independent|brownian'."""
    return "|".join(field.get("enum", ())) or _METAVARS.get(value_kind(field), "TEXT")


def option_help(field: Schema, model_default: str | None = None) -> str:
    """Return the description of a field with option names, its default and its range.

    Args:
        field: its `default_text` says what happens without a value, where that is no plain value.
        model_default: the default that a model sets; it follows that of the field.
    """
    description = field.get("description", "")
    sentences = [description[:1].upper() + description[1:]]
    own_default = field.get("default_text", field.get("default"))
    defaults = [str(each) for each in (own_default, model_default) if each is not None]
    if defaults:
        sentences.append(f"Default: {', else '.join(defaults)}")
    bounds = _range(field)
    return with_option_names(f"{'. '.join(sentences)}.") + (f"  [{bounds}]" if bounds else "")


def _resolve(field: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Return a field with the schema of its values, if they have one type, in place."""
    types = [each for each in field.get("anyOf", (field,)) if each.get("type") != "null"]
    if len(types) > 1:
        return field
    (only,) = types
    referred = definitions[only["$ref"].rpartition("/")[2]] if "$ref" in only else only
    return {**referred, **field}


def _range(field: Schema) -> str:
    """Return '0<=x<=0.9', 'x>=1' or 'x>0'; empty if no bound matters to a person."""
    lowest = field.get("exclusiveMinimum", field.get("minimum"))
    highest = field.get("exclusiveMaximum", field.get("maximum", inf))
    lower_sign = "" if "exclusiveMinimum" in field else "="
    upper_sign = "" if "exclusiveMaximum" in field else "="
    if highest > _LARGEST_SHOWN:
        return "" if lowest is None else f"x>{lower_sign}{lowest}"
    left = "" if lowest is None else f"{lowest}<{lower_sign}"
    return f"{left}x<{upper_sign}{highest}"
