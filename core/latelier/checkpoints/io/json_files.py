"""Reading the JSON files of a model folder."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from latelier.contracts.errors import ModelFileError
from latelier.contracts.frozen import validate

M = TypeVar("M", bound=BaseModel)


def read_json(path: Path, model: type[M]) -> M:
    """Return the file's content as a `model`.

    Raises:
        ModelFileError: it is missing, not JSON, or not what the model asks for.
    """
    return validate(model, read_object(path), str(path), ModelFileError)


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file.

    Raises:
        ModelFileError: it is missing, damaged or no object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFileError(f"{path}: there is no such file") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(values, dict):
        raise ModelFileError(f"{path}: holds {type(values).__name__}, not an object")
    return values
