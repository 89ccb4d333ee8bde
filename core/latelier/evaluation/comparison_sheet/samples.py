"""What pictures are compared of: prompts of a text file, or samples of a data set."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from latelier.contracts.errors import InvalidInputError
from latelier.data.pictures import UnusableError
from latelier.evaluation.protocol.data import EvaluationData
from latelier.evaluation.samples.opening import open_samples

Sample = Mapping[str, Any]
"""Has "prompt", and of a data set further fields, such as its picture "image", uint8 (3, H, W)."""


def read_prompts(path: Path) -> list[Sample]:
    """Return a sample for each line of a text file that is not empty.

    Raises:
        InvalidInputError: the file cannot be read, is no text, or has no prompt.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise InvalidInputError(f"{path}: cannot be read: {reason}") from None
    prompts = [line.strip() for line in lines if line.strip()]
    if not prompts:
        raise InvalidInputError(f"{path}: expected a prompt on each line, found none")
    return [{"prompt": prompt} for prompt in prompts]


def read_data(data: EvaluationData, count: int, fields: Collection[str]) -> list[Sample]:
    """Return samples of a data set, spread evenly over it, with at least some fields.

    Raises:
        DataError: the data set is missing or damaged, has too few pictures, or lacks a field.
        InvalidInputError: a picture cannot be read.
    """
    samples = open_samples(data, count, fields)
    try:
        return [samples.read(index, fields) for index in range(samples.count)]
    except UnusableError as error:
        raise InvalidInputError(f"{samples.name}: a picture cannot be used: {error}") from None
