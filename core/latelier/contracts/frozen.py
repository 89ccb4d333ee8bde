"""The base class of every configuration, spec and input: a frozen pydantic model."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo
from pydantic.fields import FieldInfo

from latelier.contracts.errors import InvalidConfigError, LatelierError
from latelier.contracts.messages import shorten, suggestion

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
            is the first of them; its `reason` says what is wrong with a single one.
    """
    if isinstance(values, model):
        return values
    try:
        return model.model_validate(values, context={_TRUSTED: trusted})
    except ValidationError as invalid:
        faults = _nearest_faults(model, invalid.errors())
        found = [_describe(model, fault) for fault in faults[:_MAX_FAULTS]]
        text = "; ".join(each for each, _ in found)
        if len(faults) > _MAX_FAULTS:
            text += f"; and {len(faults) - _MAX_FAULTS} more"
        field = ".".join(map(str, _follow(model, faults[0]["loc"])[0])) or None
        failure = error(f"{what}: {text}", field=field)
        failure.reason = found[0][1] if len(faults) == 1 else None
        raise failure from None


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


def _describe(model: type[BaseModel], fault: Any) -> tuple[str, str | None]:
    """Return what is wrong, and the same without the field where the text begins with it."""
    message = fault["msg"].removeprefix("Value error, ")
    if len(message) > _MAX_MESSAGE:
        message = f"{message[:_MAX_MESSAGE]}..."
    if not fault["loc"] and isinstance(fault["input"], Mapping):
        return str(message), None  # it is about several fields together
    field, hint = _locate(model, fault)
    if fault["type"] == "union_tag_invalid":
        tag, tags = fault["ctx"]["tag"], fault["ctx"]["expected_tags"].replace("'", "").split(", ")
        reason = f"there is no kind '{shorten(tag)}'. {suggestion(tag, tags)}"
        return f"'{field}': {reason}", reason
    if fault["type"] == "union_tag_not_found":
        return f"the field '{field}.kind' is required", None
    if fault["type"] == "extra_forbidden":
        return f"there is no field '{field}'{hint}", None
    if fault["type"] == "missing":
        return f"the field '{field}' is required", None
    given = " ".join(_show(fault["input"]).split())  # an array has several lines
    repeated = isinstance(fault["input"], str) and given in message
    shown = given if isinstance(fault["input"], str) else shorten(given)
    reason = message if repeated else f"{message} (given: {shown})"
    return f"'{field}': {reason}", reason


def _locate(model: type[BaseModel], fault: Any) -> tuple[str, str]:
    """Return the path of the field at fault, and the nearest names that its model has."""
    path, last = list(fault["loc"][:-1]), (fault["loc"] or ("value",))[-1]
    fields, annotation = _follow(model, path)
    owners = list(_models_in(annotation))
    hint = f". {suggestion(str(last), owners[0].model_fields)}" if len(owners) == 1 else ""
    return ".".join(shorten(str(part)) for part in (*fields, last)), hint


def _show(value: Any) -> str:
    """Return the representation of a value, also of one that Python does not represent.

    A long text is shortened within its quotes.
    """
    try:
        return repr(shorten(value) if isinstance(value, str) else value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, or deep lists
        return f"{type(value).__name__} that cannot be shown"


def _follow(model: type[BaseModel], path: Sequence[Any]) -> tuple[list[Any], Any]:
    """Return a path without the tags of unions, and the annotation at its end.

    pydantic puts the tag of the type into the path, where a field tells the types of a union apart.
    """
    fields: list[Any] = []
    annotation: Any = model
    for part in path:
        models = list(_models_in(annotation))
        tagged = [each for each in models if part in _tags(each)]
        if tagged:
            annotation = tagged[0]
            continue
        fields.append(part)
        owners = [each for each in models if part in each.model_fields]
        if len(owners) == 1:
            annotation = owners[0].model_fields[part].annotation
        elif models == [annotation]:
            annotation = None  # there is no such field
    return fields, annotation


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models of an annotation, those in containers and unions included."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for member in get_args(annotation):
        yield from _models_in(member)


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    """Return the values of `kind` by which a union tells the model apart."""
    field = model.model_fields.get("kind")
    return (
        ()
        if field is None or get_origin(field.annotation) is not Literal
        else get_args(field.annotation)
    )
