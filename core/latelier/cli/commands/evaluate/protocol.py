"""The protocol of an evaluation: a file, and what options change of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from latelier.contracts.errors import InvalidInputError
from latelier.evaluation.protocol.config import EvaluationConfig, read_evaluation


def read_protocol(
    path: Path, given: Mapping[str, Any], data: Path | None, changes: Sequence[str]
) -> EvaluationConfig:
    """Return the configuration of a file, as the options of a command change it.

    Args:
        path: of the file.
        given: values of fields; None for those that stay.
        data: data set in place of the protocol's.
        changes: further values, as FIELD=VALUE in YAML.

    Raises:
        InvalidInputError: a change cannot be read.
        InvalidConfigError: the file is missing or not YAML, or a field is invalid.
    """
    values: dict[str, Any] = {k: value for k, value in given.items() if value is not None}
    if data is not None:  # in place of the protocol's source; its size and captions stay
        values |= {"data.path": data, "data.config": {}}
        values |= dict.fromkeys(("data.dataset", "data.length", "data.root"))
    return read_evaluation(path, {**values, **_parse(changes)})


def _parse(changes: Sequence[str]) -> dict[str, Any]:
    """Return the value of each field; values are YAML."""
    parsed = {}
    for change in changes:
        field, equals, value = change.partition("=")
        if not equals or not field:
            raise InvalidInputError(f"--set: expected FIELD=VALUE, got '{change}'")
        try:
            parsed[field] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InvalidInputError(f"--set {field}: '{value}' cannot be read as YAML") from None
    return parsed
