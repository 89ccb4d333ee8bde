"""The one base of every configuration, spec and input: a frozen pydantic model."""

from collections.abc import Iterator, Mapping, Sequence, Set
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from latelier.contracts.errors import InvalidConfigError, LatelierError, suggestion

M = TypeVar("M", bound=BaseModel)


class Frozen(BaseModel):
    """A value that never changes and refuses fields that it does not have."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, protected_namespaces=()
    )


def validate(
    model: type[M],
    values: Mapping[str, Any] | M,
    what: str,
    error: type[LatelierError] = InvalidConfigError,
) -> M:
    """Return `values` as a `model`.

    Raises:
        LatelierError: of the type `error`, in one line for each fault: `what`, the field, what is
            wrong with it and, for a field that does not exist, the nearest that does. Its `field`
            is the first of them.
    """
    if isinstance(values, model):
        return values
    try:
        return model.model_validate(values)
    except ValidationError as invalid:
        found = _of_nearest_types(model, invalid.errors())
        faults = [_fault(model, fault) for fault in found]
        field = ".".join(str(part) for part in found[0]["loc"]) or None
        raise error(f"{what}: {'; '.join(faults)}", field=field) from None


def _of_nearest_types(model: type[BaseModel], faults: Sequence[Any]) -> list[Any]:
    """Return the faults, of a field that may be of several types those of the nearest alone.

    pydantic tells of every type that was tried, and names it in the path: nearest is the one that
    was followed furthest. The names of types are no part of what was given, and are left out.
    """
    fields: dict[Any, list[Any]] = {}
    for fault in faults:
        fields.setdefault(fault["loc"][:1], []).append(fault)
    nearest = []
    for path, told in fields.items():
        field = model.model_fields.get(*path) if path else None
        tried = set(_tried(field.annotation)) if field else set()
        deepest = max(len(fault["loc"]) for fault in told)
        for fault in told:
            if not tried:
                nearest.append(fault)
            elif len(fault["loc"]) == deepest:
                plain = tuple(part for part in fault["loc"] if not _is_type(part, tried))
                nearest.append({**fault, "loc": plain})
    return nearest


def _tried(annotation: Any) -> Iterator[str]:
    """Yield the names of the types among which an annotation lets pydantic choose."""
    members = get_args(annotation)
    if get_origin(annotation) in (Union, UnionType) and NoneType not in members:
        yield from (getattr(member, "__name__", "") for member in members)
    for member in members:
        yield from _tried(member)


def _is_type(part: str | int, tried: Set[str]) -> bool:
    return isinstance(part, str) and ("[" in part or part in tried)


def _fault(model: type[BaseModel], fault: Any) -> str:
    if not fault["loc"] and isinstance(fault["input"], Mapping):
        return str(fault["msg"].removeprefix("Value error, "))  # of fields together, not of one
    *path, last = fault["loc"] or ("value",)
    field = ".".join(str(part) for part in (*path, last))
    if fault["type"] == "extra_forbidden":
        owner = _at(model, path)
        hint = f". {suggestion(str(last), owner.model_fields)}" if owner else ""
        return f"there is no field '{field}'{hint}"
    if fault["type"] == "missing":
        return f"the field '{field}' is required"
    given = " ".join(repr(fault["input"]).split())  # that of an array has several lines
    return f"'{field}': {fault['msg'].removeprefix('Value error, ')} (given: {given:.80})"


def _at(model: type[BaseModel], path: Sequence[Any]) -> type[BaseModel] | None:
    """Return the model of the field at `path`, or None where that is not plain."""
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
