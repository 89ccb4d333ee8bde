"""Checks of the pydantic models of configurations and inputs."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from latelier.contracts.errors import LatelierError
from latelier.contracts.frozen import validate


def check_round_trip(model: type[BaseModel], value: BaseModel, what: str) -> None:
    """Check that a value survives being stored, and that its JSON schema is valid JSON."""
    schema = model.model_json_schema()
    assert json.loads(json.dumps(schema)) == schema
    assert schema.get("type") == "object", f"the schema of the {what} is not that of an object"
    assert model.model_validate(value.model_dump()) == value, (
        f"the {what} changes in model_dump and model_validate"
    )
    assert model.model_validate_json(value.model_dump_json()) == value, (
        f"the {what} changes when it is stored as JSON"
    )


def check_refuses(model: type[BaseModel], values: Mapping[str, Any], what: str) -> None:
    """Check that a model refuses an unknown field, and that its instances are frozen."""
    assert model.model_config.get("frozen"), (
        f"the {what} can be changed: derive it from latelier's base class, which is frozen"
    )
    refused: LatelierError | None = None
    try:
        validate(model, {**values, "no_such_field": 1}, what)
    except LatelierError as error:
        refused = error
    assert refused, f"the {what} accepts an unknown field: keep extra='forbid'"
    assert "no_such_field" in str(refused), f"the {what}'s error names no field: {refused}"


def check_described(model: type[BaseModel], what: str) -> None:
    """Check that every field has a description."""
    missing = [name for name, field in model.model_fields.items() if not field.description]
    assert not missing, f"the {what}'s fields {', '.join(missing)} need Field(description=...)"
