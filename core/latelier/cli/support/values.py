"""Reading what is typed: sizes, choices with options, conditions."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from latelier.contracts.errors import InvalidInputError, UnknownNameError, suggestion
from latelier.contracts.frozen import Frozen
from latelier.contracts.image_types import Image, Mask
from latelier.contracts.inputs import bare_field, read_input

NamedOptions = dict[str, Any]
"""'name' and 'options', as `Pipeline.generate` takes them."""


def read_size(text: str, option: str) -> tuple[int, int]:
    """Return (width, height) of '64' or '64x48'.

    Raises:
        InvalidInputError: it is neither; names the option.
    """
    sides = re.fullmatch(r"(\d+)(?:[xX](\d+))?", text)
    if sides is None:
        raise InvalidInputError(f"{option}: '{text}' is neither a number nor WIDTHxHEIGHT")
    return int(sides[1]), int(sides[2] or sides[1])


def read_choice(text: str, option: str) -> NamedOptions:
    """Return the choice that 'name' or 'name:key=value,key=value' stands for, or '@FILE.json'.

    Raises:
        InvalidInputError: it cannot be read so.
    """
    if text.startswith("@"):
        return _choice_in(Path(text[1:]).expanduser(), option)
    name, _, rest = text.partition(":")
    options: dict[str, Any] = {}
    for pair in _split(rest) if rest else []:
        key, equals, value = pair.partition("=")
        if not (name and key and equals) or key in options:
            raise InvalidInputError(
                f"{option}: '{text}' cannot be read: write name:key=value,key=value"
            )
        options[key.strip()] = json_or_text(value)
    return {"name": name, "options": options}


def _choice_in(path: Path, option: str) -> NamedOptions:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{option}: '{path}' cannot be read as JSON: {error}") from None
    if not (isinstance(value, dict) and isinstance(value.get("name"), str)):
        raise InvalidInputError(f"{option}: '{path}' is no choice: it needs a name, and options")
    return value


def _split(text: str) -> list[str]:
    """Return the parts between commas, of which those inside of JSON are none."""
    parts: list[str] = []
    for part in text.split(","):
        if parts and _is_open(parts[-1]):
            parts[-1] += f",{part}"
        else:
            parts.append(part)
    return parts


def _is_open(pair: str) -> bool:
    """Return whether the value of 'key=value' begins a JSON value that it does not end."""
    value = pair.partition("=")[2].lstrip()
    if not value.startswith(("{", "[", '"')):
        return False
    try:
        json.JSONDecoder().raw_decode(value)
    except ValueError:
        return True
    return False


def read_guidance(text: str) -> float | NamedOptions:
    """Return the scale that a number stands for, or else a choice.

    Raises:
        InvalidInputError: it cannot be read so.
    """
    try:
        return float(text)
    except ValueError:
        return read_choice(text, "--guidance")


class _Picture(Frozen):
    image: Image


class _Mask(Frozen):
    image: Mask


def read_picture(path: Path, option: str) -> Any:
    """Return the PIL image in a file.

    Raises:
        InvalidInputError: none can be read; names the option.
    """
    return read_input(_Picture, str(path.expanduser()), option).image


def read_mask(path: Path, option: str) -> Any:
    """Return the PIL image of mode L in a file.

    Raises:
        InvalidInputError: none can be read; names the option.
    """
    return read_input(_Mask, str(path.expanduser()), option).image


def read_strength(strength: float) -> float:
    """Return it.

    Raises:
        InvalidInputError: it is not above 0 and at most 1.
    """
    if not 0 < strength <= 1:
        raise InvalidInputError(f"--strength: is above 0 and at most 1, not {strength:g}")
    return strength


_PICTURES = ("image", "mask", "semantic-map")


def read_conditions(
    texts: Sequence[str], known: Mapping[str, type[BaseModel] | None]
) -> dict[str, Any]:
    """Return name -> value for each 'NAME=VALUE' or 'NAME=@FILE'.

    Of an input with several fields each may be given by itself, as NAME.FIELD.

    Args:
        texts: as they were typed. A VALUE that is JSON is taken as that, else as text.
        known: the public inputs and their classes.

    Raises:
        UnknownNameError: a name that the model does not take, or a field that it does not have.
        InvalidInputError: not NAME=VALUE, given twice, or a file that cannot be read.
    """
    conditions: dict[str, Any] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        name, dot, field = path.partition(".")
        if not equals:
            raise InvalidInputError(f"--condition: '{text}' is not NAME=VALUE or NAME=@FILE")
        if name not in known:
            raise UnknownNameError(f"this model takes no '{name}'. {suggestion(name, known)}")
        if dot:
            schema = _field_schema(known[name], name, field)
            there = conditions.setdefault(name, {})
        else:
            schema = _bare_schema(known[name], name)
            there, field = conditions, name
        if not isinstance(there, dict) or field in there:
            raise InvalidInputError(f"--condition: '{path}' is given twice")
        if value.startswith("@"):
            there[field] = _file(path, Path(value[1:]).expanduser(), schema)
        else:
            there[field] = _value(value, schema)
    return conditions


def check_inputs(inputs: Mapping[str, Any], known: Mapping[str, type[BaseModel] | None]) -> None:
    """Check values before a model is loaded.

    Raises:
        InvalidInputError: names the input, the field, and what would be right.
    """
    for name, value in inputs.items():
        model = known[name]
        if model is not None:
            read_input(model, value, f"input '{name}'")


def _bare_schema(model: type[BaseModel] | None, name: str) -> Mapping[str, Any]:
    """Return the schema of the field that a bare value fills; empty where there is none."""
    if model is None:
        return {}
    try:
        field = bare_field(model, name)
    except InvalidInputError:
        return {}
    schema: Mapping[str, Any] = model.model_json_schema()["properties"][field]
    return schema


def _field_schema(model: type[BaseModel] | None, name: str, field: str) -> Mapping[str, Any]:
    """Return the schema of a field, or raise an `UnknownNameError`."""
    fields: Mapping[str, Any] = model.model_json_schema()["properties"] if model else {}
    if model is not None and field not in fields:
        raise UnknownNameError(f"'{name}' has no field '{field}'. {suggestion(field, fields)}")
    schema: Mapping[str, Any] = fields.get(field, {})
    return schema


def _file(name: str, path: Path, field: Mapping[str, Any]) -> Any:
    if not path.is_file():
        raise InvalidInputError(f"--condition {name}: there is no file '{path}'")
    if path.suffix.lower() == ".npy":
        return _array(name, path)
    if path.suffix.lower() != ".json":
        if not any(each.get("format") in _PICTURES for each in (field, *field.get("anyOf", ()))):
            raise InvalidInputError(
                f"--condition {name}: takes no picture; give a value, JSON as @FILE.json, or "
                "numbers as @FILE.npy"
            )
        return str(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"--condition {name}: '{path}' cannot be read as JSON: {error}"
        ) from None


def _array(name: str, path: Path) -> Any:
    """Return the numbers of a .npy file as nested lists. It is mapped, and never unpickled."""
    import numpy as np
    from numpy.lib.format import open_memmap

    try:
        array = open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError, OverflowError, SyntaxError) as error:
        raise InvalidInputError(
            f"--condition {name}: '{path}' cannot be read as an array of numbers: {error}"
        ) from None
    if array.dtype.kind not in "biuf":
        raise InvalidInputError(
            f"--condition {name}: '{path}' holds {array.dtype}, and only numbers are read"
        )
    return np.asarray(array).tolist()


def _value(text: str, field: Mapping[str, Any]) -> Any:
    value = json_or_text(text)
    if field.get("type") == "string" and not isinstance(value, str | dict):
        return text  # "7" is a text where one is asked for
    return value


def json_or_text(text: str) -> Any:
    """Return what a text is as JSON, or itself where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text
