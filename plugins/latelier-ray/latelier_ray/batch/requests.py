"""The request of a row, as the engine takes it."""

import base64
import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from latelier.cli.options.values import json_or_text
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.messages import suggestion
from latelier.pipeline.request import KEYWORDS

from latelier_ray.batch.table import Row

OPTIONS = KEYWORDS - {"n", "batch_size"}
"""Columns that are settings of a row's picture. A row is one picture."""

_MAX_ID = 200
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class PictureRequest:
    """The request for the picture of a row.

    Attributes:
        id: of the row.
        request: as `Engine.submit_json` takes it, with its seed.
    """

    id: str
    request: Mapping[str, Any]


@dataclass(frozen=True)
class RequestReader:
    """Makes requests of rows.

    Attributes:
        inputs: public inputs of the model, with those of its adapters.
        settings: of all rows; the columns of a row replace them.
        named_files: whether ids name files.
    """

    inputs: Collection[str]
    settings: Mapping[str, Any]
    named_files: bool

    def read(self, row: Row) -> PictureRequest:
        """Return the request of a row.

        Raises:
            InvalidInputError: there is no id, an unknown column, or a value that JSON has not.
        """
        values = dict(row.values)
        name = read_id(values.pop("id", None), named_files=self.named_files)
        inputs, options = _read_inputs(values.pop("inputs", {})), dict(self.settings)
        for column, value in values.items():
            if column in inputs:
                raise InvalidInputError.of_field(column, "given twice, also in `inputs`")
            if column in self.inputs:
                inputs[column] = _read_cell(value, column) if row.is_text else value
            elif column in OPTIONS:
                options[column] = json_or_text(value, column) if row.is_text else value
            else:
                hint = suggestion(column, {*self.inputs, *OPTIONS, "id", "inputs"})
                raise InvalidInputError.of_field(
                    column, f"is no input of the model and no setting of a picture. {hint}"
                )
        options.setdefault("seed", seed_of(name))
        request: dict[str, Any] = _to_json({**options, "inputs": inputs}, "")
        return PictureRequest(name, request)


def read_id(value: Any, *, named_files: bool) -> str:
    """Return an id as text.

    Raises:
        InvalidInputError: there is none, or it cannot be one.
    """
    if value is None:
        raise InvalidInputError.of_field("id", "a row needs one: a text or a whole number")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidInputError.of_field("id", f"expected a text or a whole number, got {value!r}")
    name = str(value)
    if not 0 < len(name) <= _MAX_ID:
        raise InvalidInputError.of_field("id", f"expected 1 to {_MAX_ID} characters")
    if named_files and not _FILE_NAME.fullmatch(name):
        raise InvalidInputError.of_field(
            "id",
            f"'{name}' names files in WebDataset: expected letters A to Z, digits, _ and -; "
            "--format parquet takes any text",
        )
    return name


def seed_of(name: str) -> int:
    """Return the seed of a row without one: its id if that is a seed, else 63 bits of its hash.

    These are the first 8 bytes of the SHA-256 of the id in UTF-8, big-endian, modulo 2^63.
    """
    if name.isascii() and name.isdecimal() and int(name) < 2**63:
        return int(name)
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % 2**63


def _read_inputs(value: Any) -> dict[str, Any]:
    """Return the inputs in a column of JSON, as text or as a value."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise InvalidInputError.of_field("inputs", f"cannot be read as JSON: {error}") from None
    if not isinstance(value, Mapping):
        raise InvalidInputError.of_field(
            "inputs", 'expected the inputs of the model by name, such as {"prompt": "a cat"}'
        )
    return dict(value)


def _read_cell(text: str, column: str) -> Any:
    """Return the value of a cell of CSV: JSON if it is an object or a list, else the text."""
    return json_or_text(text, column) if text.lstrip()[:1] in ("{", "[") else text


def _to_json(value: Any, place: str) -> Any:
    """Return a value as JSON has it, without nulls; the bytes of a picture become a data URI.

    Raises:
        InvalidInputError: JSON has no form for it; names its place.
    """
    if isinstance(value, Mapping):  # a field that a Parquet row does not have is null
        return {
            name: _to_json(each, f"{place}.{name}".removeprefix("."))
            for name, each in value.items()
            if each is not None
        }
    if isinstance(value, list):
        return [_to_json(each, place) for each in value]
    if isinstance(value, bytes):
        return f"data:image/png;base64,{base64.b64encode(value).decode()}"
    if value is None or isinstance(value, str | int | float):
        return value
    raise InvalidInputError.of_field(
        place, f"expected text, numbers or JSON, got a value of the type {type(value).__name__}"
    )
