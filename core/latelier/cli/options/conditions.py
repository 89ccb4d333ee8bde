"""The --condition option: NAME=VALUE, NAME=@FILE, NAME.FIELD=VALUE or NAME.FIELD=@FILE."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from latelier.cli.options.values import json_or_text, read_json_file, read_picture
from latelier.contracts.errors import InvalidInputError, UnknownNameError
from latelier.contracts.inputs import bare_field, read_input
from latelier.contracts.messages import suggestion
from latelier.io.user_folders import expand_home

InputClass = type[BaseModel] | None
"""The class of a public input; None if its plugin is not installed."""

_PICTURE_FORMATS = ("image", "mask", "semantic-map")


def read_conditions(texts: Sequence[str], classes: Mapping[str, InputClass]) -> dict[str, Any]:
    """Return the value of each public input.

    Args:
        texts: 'NAME=VALUE' for a whole input or 'NAME.FIELD=VALUE' for one field of it. A VALUE
            that parses as JSON is JSON, otherwise text; '@FILE' reads it from a file.
        classes: public input -> its class.

    Raises:
        UnknownNameError: the model has no such input, or the input no such field.
        InvalidInputError: the text does not parse, an input is given twice, or a file is invalid.
    """
    conditions: dict[str, Any] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        name, dot, field = path.partition(".")
        if not equals:
            raise InvalidInputError(f"--condition: expected NAME=VALUE or NAME=@FILE, got '{text}'")
        if name not in classes:
            raise UnknownNameError(f"this model takes no '{name}'. {suggestion(name, classes)}")
        target = _Target.find(path, classes[name], name, field if dot else None)
        values, key = (conditions.setdefault(name, {}), field) if dot else (conditions, name)
        if not isinstance(values, dict) or key in values:
            raise InvalidInputError(f"--condition: '{path}' is given twice")
        values[key] = target.read(value)
    return conditions


def read_references(texts: Sequence[str]) -> list[Any]:
    """Return the values of the option --reference: names, numbers, and the paths of '@FILE's.

    Raises:
        InvalidInputError: a file does not exist.
    """
    values: list[Any] = []
    for text in texts:
        if text.startswith("@"):
            path = expand_home(text[1:])
            if not path.is_file():
                raise InvalidInputError(f"--reference: file '{path}' not found")
            values.append(path)
        else:
            values.append(int(text) if text.isdecimal() and len(text) <= _MAX_DIGITS else text)
    return values


def check_inputs(inputs: Mapping[str, Any], classes: Mapping[str, InputClass]) -> None:
    """Validate inputs before a model is loaded.

    Raises:
        InvalidInputError: a value is invalid; names the input and the field.
    """
    for name, value in inputs.items():
        model = classes[name]
        if model is not None:
            read_input(model, value, f"input '{name}'")


_MAX_DIGITS = 9
"""Most digits of the number of an entry in a database."""


@dataclass(frozen=True)
class _Target:
    """The field that a condition fills.

    Attributes:
        path: NAME or NAME.FIELD, as typed.
        model: class of the input.
        field: name of the field; None if the value is a mapping of all fields.
    """

    path: str
    model: InputClass
    field: str | None

    @classmethod
    def find(cls, path: str, model: InputClass, name: str, field: str | None) -> "_Target":
        if model is None:
            return cls(path, None, field)
        if field is None:
            try:
                return cls(path, model, bare_field(model, name))
            except InvalidInputError:  # several required fields: the value must be a mapping
                return cls(path, model, None)
        if field not in model.model_fields:
            hint = suggestion(field, model.model_fields)
            raise UnknownNameError(f"'{name}' has no field '{field}'. {hint}")
        return cls(path, model, field)

    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON schema of the field; empty if unknown."""
        if self.model is None or self.field is None:
            return {}
        schema: Mapping[str, Any] = self.model.model_json_schema()["properties"][self.field]
        return schema

    def read(self, text: str) -> Any:
        """Return the value of 'VALUE' or '@FILE'."""
        if text.startswith("@"):
            return self._read_file(expand_home(text[1:]))
        value = json_or_text(text, f"--condition {self.path}")
        if self.schema.get("type") == "string" and not isinstance(value, str | dict):
            return text  # "7" stays text where the field is text
        return value

    def _read_file(self, path: Path) -> Any:
        option = f"--condition {self.path}"
        if not path.is_file():
            raise InvalidInputError(f"{option}: file '{path}' not found")
        match path.suffix.lower():
            case ".json":
                return read_json_file(path, option)
            case ".npy":
                return _read_array(path, option)
        formats = set(_formats(self.schema))
        if "reference" in formats:
            return path  # a text may be a name
        if self.model is None or not formats.isdisjoint(_PICTURE_FORMATS):
            return str(path)
        picture = read_picture(path, option)
        if not self._accepts(picture):
            raise InvalidInputError(
                f"{option}: takes no picture; give a value, JSON as @FILE.json, or numbers as "
                "@FILE.npy"
            )
        return picture

    def _accepts(self, picture: Any) -> bool:
        """Return whether the input takes a picture although its JSON schema names none."""
        if self.model is None or self.field is None:
            return False
        try:
            self.model.model_validate({self.field: picture})
        except ValidationError as error:
            return all(each["type"] == "missing" for each in error.errors())
        except Exception:  # a validator that relies on fields which are not given here
            return False
        return True


def _formats(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the formats of a field, of its alternatives and of the items of its list."""
    if "format" in schema:
        yield schema["format"]
    for each in (*schema.get("anyOf", ()), *filter(None, [schema.get("items")])):
        yield from _formats(each)


def _read_array(path: Path, option: str) -> Any:
    """Return the numbers of a .npy file as nested lists. The file is mapped, never unpickled."""
    import numpy as np
    from numpy.lib.format import open_memmap

    try:
        array = open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError, OverflowError, SyntaxError) as error:
        raise InvalidInputError(
            f"{option}: '{path}' cannot be read as an array of numbers: {error}"
        ) from None
    if array.dtype.kind not in "biuf":
        raise InvalidInputError(
            f"{option}: expected an array of numbers, got one of {array.dtype} in '{path}'"
        )
    return np.asarray(array).tolist()
