"""Reading the JSON files of a model folder."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from latelier.contracts.errors import ModelFileError
from latelier.contracts.frozen import validate

M = TypeVar("M", bound=BaseModel)


def read_json(path: Path, model: type[M]) -> M:
    """Return the content of a file as a `model`.

    Raises:
        ModelFileError: the file is missing, is not JSON, or does not fit the model.
    """
    return validate(model, read_json_object(path), str(path), ModelFileError)


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        ModelFileError: the file is missing or damaged, or holds no object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFileError(f"{path}: not found") from None
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelFileError(f"{path}: cannot be read as JSON: {reason}") from None
    if not isinstance(values, dict):
        raise ModelFileError(f"{path}: expected a JSON object, got {type(values).__name__}")
    return values
