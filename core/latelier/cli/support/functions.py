"""What a sampler, a schedule or a guidance rule is, and which options it takes."""

import inspect
import json
from typing import Any

from latelier.cli.support.schemas import in_words as schema_in_words
from latelier.contracts.errors import UnknownNameError, suggestion
from latelier.contracts.frozen import Frozen
from latelier.contracts.options import options_model
from latelier.kernel.atelier import Atelier
from latelier.kernel.spec import ComponentSpec, Kind

KINDS: tuple[Kind, ...] = ("sampler", "schedule", "guidance")


class Function(Frozen):
    """A registered function. options: their JSON schema, with the defaults under this name."""

    kind: Kind
    id: str
    version: str
    about: str
    traits: dict[str, Any]
    options: dict[str, Any]


def called(name: str, atelier: Atelier) -> list[Function]:
    """Return what has a name, of each kind.

    Raises:
        UnknownNameError: nothing has it.
        AmbiguousNameError: several plugins have it for one kind.
    """
    found, known = [], set[str]()
    for kind in KINDS:
        try:
            found.append(_function(atelier.registry(kind).spec(name), atelier))
        except UnknownNameError:
            known.update(atelier.registry(kind).names())
    if not found:
        hint = suggestion(name, known)
        raise UnknownNameError(f"there is no sampler, schedule or guidance '{name}'. {hint}")
    return found


def in_words(function: Function) -> list[tuple[str, str, str]]:
    """Return name, default and meaning of each option."""
    definitions = function.options.get("$defs", {})
    return [
        (
            name,
            json.dumps(option["default"]) if "default" in option else "",
            schema_in_words({"properties": {name: option}, "$defs": definitions}),
        )
        for name, option in function.options.get("properties", {}).items()
    ]


def _function(spec: ComponentSpec, atelier: Atelier) -> Function:
    function = atelier.registry(spec.kind).get(spec.id)
    schema = options_model(function).model_json_schema()
    told = inspect.getdoc(inspect.getmodule(function)) or inspect.getdoc(function) or ""
    traits = spec.traits.model_dump(exclude_none=True) if spec.traits else {}
    return Function(
        kind=spec.kind,
        id=spec.id,
        version=spec.version,
        about=told.partition("\n")[0],
        traits=traits,
        options=schema,
    )
