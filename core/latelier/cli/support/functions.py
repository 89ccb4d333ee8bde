"""Samplers, schedules, guidance rules and accelerations, described with their options."""

import inspect
import json
from typing import Any

from latelier.cli.support.schemas import describe_input
from latelier.contracts.errors import UnknownNameError
from latelier.contracts.frozen import Frozen
from latelier.contracts.messages import suggestion
from latelier.contracts.options import options_model
from latelier.kernel.atelier import Atelier
from latelier.kernel.spec import ComponentSpec, Kind

KINDS: tuple[Kind, ...] = ("sampler", "schedule", "guidance", "acceleration")


class RegisteredFunction(Frozen):
    """A registered sampler, schedule, guidance rule or acceleration.

    Attributes:
        kind: one of `KINDS`.
        id: "distribution/name".
        version: of the distribution.
        summary: what it does to the picture, in plain words; "" if its plugin does not say.
        about: the first line of its documentation.
        traits: declared properties, such as the order of a sampler.
        options: JSON schema of the options, with the defaults of this registration.
    """

    kind: Kind
    id: str
    version: str
    summary: str
    about: str
    traits: dict[str, Any]
    options: dict[str, Any]


def find_functions(name: str, atelier: Atelier) -> list[RegisteredFunction]:
    """Return the functions registered under a name, at most one of each kind.

    Raises:
        UnknownNameError: no function has this name.
        AmbiguousNameError: several plugins register the name for the same kind.
    """
    found, known = [], set[str]()
    for kind in KINDS:
        try:
            found.append(_describe(atelier.registries[kind].spec(name), atelier))
        except UnknownNameError:
            known.update(atelier.registries[kind].names())
    if not found:
        hint = suggestion(name, known)
        raise UnknownNameError(
            f"there is no sampler, schedule, guidance or acceleration '{name}'. {hint}"
        )
    return found


def describe_options(function: RegisteredFunction) -> list[tuple[str, str, str]]:
    """Return (name, default, meaning) of each option."""
    definitions = function.options.get("$defs", {})
    return [
        (
            name,
            json.dumps(option["default"]) if "default" in option else "",
            describe_input({"properties": {name: option}, "$defs": definitions}),
        )
        for name, option in function.options.get("properties", {}).items()
    ]


def _describe(spec: ComponentSpec, atelier: Atelier) -> RegisteredFunction:
    function = atelier.registries[spec.kind].get(spec.id)
    schema = options_model(function).model_json_schema()
    documentation = inspect.getdoc(inspect.getmodule(function)) or inspect.getdoc(function) or ""
    return RegisteredFunction(
        kind=spec.kind,
        id=spec.id,
        version=spec.version,
        summary=spec.summary,
        about=documentation.partition("\n")[0],
        traits=spec.traits.model_dump(exclude_none=True) if spec.traits else {},
        options=schema,
    )
