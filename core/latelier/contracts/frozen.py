"""The base class of every configuration, spec and input: a frozen pydantic model."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo
from pydantic.fields import FieldInfo

from latelier.contracts.errors import InvalidConfigError, LatelierError, suggestion
from latelier.contracts.messages import shorten

M = TypeVar("M", bound=BaseModel)

_TRUSTED = "trusted"

_MAX_FAULTS = 10
"""Most faults that an error lists."""

_MAX_MESSAGE = 400
"""Most characters of what is wrong with a field."""


class Frozen(BaseModel):
    """A value that cannot be changed and refuses unknown fields."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, protected_namespaces=()
    )


def validate(
    model: type[M],
    values: Mapping[str, Any] | M,
    what: str,
    error: type[LatelierError] = InvalidConfigError,
    *,
    trusted: bool = True,
) -> M:
    """Return `values` as a `model`.

    Args:
        model: the class.
        values: field -> value.
        what: what the values are for; errors begin with it.
        error: the class of errors.
        trusted: False for values from a client: they name no files (see `is_trusted`).

    Raises:
        LatelierError: of the class `error`. It names the fields at fault, at most ten of them,
            what is wrong with them and, for an unknown field, the nearest that exists. Its `field`
            is the first of them.
    """
    if isinstance(values, model):
        return values
    try:
        return model.model_validate(values, context={_TRUSTED: trusted})
    except ValidationError as invalid:
        faults = _nearest_faults(model, invalid.errors())
        text = "; ".join(_describe(model, fault) for fault in faults[:_MAX_FAULTS])
        if len(faults) > _MAX_FAULTS:
            text += f"; and {len(faults) - _MAX_FAULTS} more"
        field = ".".join(map(str, faults[0]["loc"])) or None
        raise error(f"{what}: {text}", field=field) from None


def is_trusted(info: ValidationInfo) -> bool:
    """Return whether a validator may open a file that its value names.

    It may not for values that `validate` was called with as untrusted, nor for JSON that pydantic
    parses itself, unless its context says {"trusted": True}: a client could read any file of the
    host.
    """
    context = info.context if isinstance(info.context, dict) else {}
    return bool(context.get(_TRUSTED, info.mode == "python"))


def _nearest_faults(model: type[BaseModel], faults: Iterable[Any]) -> list[Any]:
    """Return the faults of each field; of a field of several types, those of the nearest alone."""
    by_field: dict[Any, list[Any]] = {}
    for fault in faults:
        by_field.setdefault(fault["loc"][:1], []).append(fault)
    return [
        fault
        for path, each in by_field.items()
        for fault in _of_nearest_type(model.model_fields.get(*path) if path else None, each)
    ]


def _of_nearest_type(field: FieldInfo | None, faults: list[Any]) -> list[Any]:
    """Return the faults of the type that was followed furthest, without its name in their paths.

    pydantic lists the faults of every type of a union, and puts the type's name into the path.
    """
    types = set(_union_members(field.annotation)) if field else set()
    if not types:
        return faults
    depth = max(len(fault["loc"]) for fault in faults)
    return [
        {**fault, "loc": tuple(part for part in fault["loc"] if not _is_type(part, types))}
        for fault in faults
        if len(fault["loc"]) == depth
    ]


def _union_members(annotation: Any) -> Iterator[str]:
    """Yield the names of the types among which an annotation lets pydantic choose."""
    members = get_args(annotation)
    if get_origin(annotation) in (Union, UnionType) and NoneType not in members:
        yield from (getattr(member, "__name__", "") for member in members)
    for member in members:
        yield from _union_members(member)


def _is_type(part: str | int, types: Set[str]) -> bool:
    return isinstance(part, str) and ("[" in part or part in types)


def _describe(model: type[BaseModel], fault: Any) -> str:
    message = fault["msg"].removeprefix("Value error, ")
    if len(message) > _MAX_MESSAGE:
        message = f"{message[:_MAX_MESSAGE]}..."
    if not fault["loc"] and isinstance(fault["input"], Mapping):
        return str(message)  # it is about several fields together
    *path, last = fault["loc"] or ("value",)
    field = ".".join(shorten(str(part)) for part in (*path, last))
    if fault["type"] == "extra_forbidden":
        owner = _model_at(model, path)
        hint = f". {suggestion(str(last), owner.model_fields)}" if owner else ""
        return f"there is no field '{field}'{hint}"
    if fault["type"] == "missing":
        return f"the field '{field}' is required"
    given = " ".join(_show(fault["input"]).split())  # an array has several lines
    repeated = isinstance(fault["input"], str) and given in message
    return f"'{field}': {message}" + ("" if repeated else f" (given: {given:.80})")


def _show(value: Any) -> str:
    """Return the representation of a value, also of one that Python does not represent."""
    try:
        return repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, or deep lists
        return f"{type(value).__name__} that cannot be shown"


def _model_at(model: type[BaseModel], path: Sequence[Any]) -> type[BaseModel] | None:
    """Return the model of the field at `path`, or None where it is not one model."""
    for part in path:
        field = model.model_fields.get(part)
        models = [] if field is None else _models_in(field.annotation)
        if len(models) != 1:
            return None
        model = models[0]
    return model


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    members = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return [each for each in members if isinstance(each, type) and issubclass(each, BaseModel)]
