"""The one base of every configuration, spec and input: a frozen pydantic model."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from latelier.kernel.errors import InvalidConfigError, LatelierError, suggestion

M = TypeVar("M", bound=BaseModel)


class Frozen(BaseModel):
    """A value that never changes and refuses fields that it does not have."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, protected_namespaces=()
    )


def validated(
    model: type[M],
    values: Mapping[str, Any] | M,
    what: str,
    error: type[LatelierError] = InvalidConfigError,
) -> M:
    """Return `values` as a `model`.

    Raises:
        LatelierError: of the type `error`, in one line for each fault: `what`, the field, what is
            wrong with it and, for a field that does not exist, the nearest that does.
    """
    if isinstance(values, model):
        return values
    try:
        return model.model_validate(values)
    except ValidationError as invalid:
        faults = [_fault(model, fault) for fault in invalid.errors()]
        raise error(f"{what}: {'; '.join(faults)}") from None


def _fault(model: type[BaseModel], fault: Any) -> str:
    field = ".".join(str(part) for part in fault["loc"]) or "value"
    if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1:
        return f"there is no field '{field}'. {suggestion(field, model.model_fields)}"
    if fault["type"] == "missing":
        return f"the field '{field}' is required"
    given = f" (given: {fault['input']!r:.80})"
    return f"'{field}': {fault['msg'].removeprefix('Value error, ')}{given}"
