"""`latelier measures`: list measures and feature networks, and show their configurations."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latelier.cli.support.lazy import LightTyper
from latelier.cli.support.output import AsJson, show_columns, show_fields, show_json, show_line

if TYPE_CHECKING:
    from latelier.kernel.atelier import Atelier
    from latelier.kernel.spec import ComponentSpec, Kind

KINDS: "tuple[Kind, ...]" = ("measure", "feature_network")

app = LightTyper(help="List measures of pictures and feature networks, and show their fields.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the installed measures and feature networks with the plugin of each."""
    from latelier.cli.support.application import load_atelier

    atelier = load_atelier()
    specs = [spec for kind in KINDS for spec in atelier.registries[kind].specs()]
    if as_json:
        keys = {"kind", "name", "id", "version", "summary"}
        show_json([{"id": spec.id, **spec.model_dump(include=keys)} for spec in specs])
        return
    rows = [
        (spec.name, spec.kind.replace("_", " "), spec.distribution, spec.summary) for spec in specs
    ]
    show_columns(("NAME", "KIND", "FROM", "SUMMARY"), rows)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A measure or a feature network.")],
    as_json: AsJson = False,
) -> None:
    """Show a measure or a feature network with the fields of its configuration."""
    from latelier.cli.support.application import load_atelier

    atelier = load_atelier()
    found = [
        {
            **spec.model_dump(include={"kind", "version", "summary"}),
            "id": spec.id,
            "config": atelier.registries[spec.kind].config_schema(spec.id),
        }
        for spec in _find(name, atelier)
    ]
    if as_json:
        show_json(found)
        return
    for each in found:
        kind = each["kind"].replace("_", " ")
        show_fields([(kind, each["id"]), ("", each["summary"]), ("version", each["version"])])
        rows = _describe_fields(each["config"])
        if rows:
            show_columns(("FIELD", "DEFAULT", "MEANING"), rows)
        else:
            show_line("It has no fields.")


def _find(name: str, atelier: "Atelier") -> "list[ComponentSpec]":
    """Return the measure and the feature network of a name.

    Raises:
        UnknownNameError: there is neither.
        AmbiguousNameError: several plugins register the name for the same kind.
    """
    from latelier.contracts.errors import UnknownNameError
    from latelier.contracts.messages import suggestion

    found, known = [], set[str]()
    for kind in KINDS:
        try:
            found.append(atelier.registries[kind].spec(name))
        except UnknownNameError:
            known.update(atelier.registries[kind].names())
    if not found:
        hint = suggestion(name, known)
        raise UnknownNameError(f"there is no measure or feature network '{name}'. {hint}")
    return found


def _describe_fields(schema: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return (name, default, meaning) of each field of a configuration."""
    return [
        (
            name,
            json.dumps(field["default"]) if "default" in field else "required",
            field.get("description", ""),
        )
        for name, field in schema.get("properties", {}).items()
    ]
