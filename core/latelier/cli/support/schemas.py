"""The inputs of a model: their classes, their JSON schemas, and one line of text for each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from latelier.checkpoints.io.verification import verify
from latelier.contracts.errors import LatelierError

if TYPE_CHECKING:
    from latelier.checkpoints.manifests import StoredComponent
    from latelier.kernel.atelier import Atelier
    from latelier.pipeline.storage.manifest_header import ManifestHeader

Schema = Mapping[str, Any]

MAX_LISTED = 8
"""Values of an enumeration that help lists; more are counted."""


def input_classes(
    header: "ManifestHeader", atelier: "Atelier"
) -> dict[str, type[BaseModel] | None]:
    """Return the class of each public input; None if its plugin is not installed."""
    classes: dict[str, type[BaseModel] | None] = {}
    for public in header.inputs:
        try:
            classes[public] = atelier.conditioners.input_class(header.conditioner_of(public).id)
        except (LatelierError, KeyError, IndexError):
            classes[public] = None  # loading the model reports what to install
    return classes


def input_schemas(header: "ManifestHeader", atelier: "Atelier") -> dict[str, Schema | None]:
    """Return the JSON schema of each public input, with the labels of this model.

    A schema is None if its plugin is not installed.
    """
    schemas: dict[str, Schema | None] = {}
    for public, model in input_classes(header, atelier).items():
        schema = None if model is None else model.model_json_schema()
        config = None if schema is None else _config_of(header.conditioner_of(public), atelier)
        schemas[public] = schema if config is None else config.input_schema(schema)
    return schemas


def reference_input(header: "ManifestHeader", atelier: "Atelier") -> str | None:
    """Return the public input of reference pictures; None for a model without."""
    for public in header.inputs:
        try:
            config = _config_of(header.conditioner_of(public), atelier)
        except (KeyError, IndexError):
            continue
        if config is not None and config.is_shown_references:
            return public
    return None


def vocabularies(
    header: "ManifestHeader", folder: Path, atelier: "Atelier"
) -> dict[str, list[str]]:
    """Return the words or labels that each public input of a model folder may use.

    Those of references are the names in the model's database.

    Raises:
        UnknownNameError: the database is not installed.
        ModelFileError: an asset is missing or damaged.
    """
    from latelier.pipeline.databases import open_database

    found = {}
    for public, model in input_classes(header, atelier).items():
        stored = None if model is None else header.conditioner_of(public)
        config = None if stored is None else _config_of(stored, atelier)
        if stored is not None and config is not None:
            assets = {
                name: verify(file.within(folder), file.sha256).read_bytes()
                for name, file in stored.assets.items()
            }
            found[public] = list(config.vocabulary(assets))
    shown = reference_input(header, atelier)
    if shown is not None and header.defaults.database is not None:
        database = open_database(header.defaults.database, atelier)
        found[shown] = [entry.name for entry in database.entries]
    return found


def _config_of(stored: "StoredComponent", atelier: "Atelier") -> Any:
    try:
        return atelier.conditioners.validate_config(stored.id, stored.config)
    except LatelierError:
        return None  # loading the model reports what is wrong


def describe_input(schema: Schema | None) -> str:
    """Return one line: the fields of an input, their types and descriptions."""
    if schema is None:
        return "its plugin is not installed"
    fields = schema.get("properties", {})
    required = schema.get("required", [])
    texts = [_describe_field(field, schema.get("$defs", {})) for field in fields.values()]
    if len(fields) == 1:
        return texts[0]
    named = [
        f"{name}{'' if name in required else '?'}: {text}" for name, text in zip(fields, texts)
    ]
    return "{" + "; ".join(named) + "}"


def _describe_field(field: Schema, definitions: Schema) -> str:
    kind, meaning = _type_name(field, definitions), field.get("description")
    return f"{kind}; {meaning}" if meaning else kind


def _type_name(field: Schema, definitions: Schema) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return str(definitions.get(name, {}).get("format", name))
    if "anyOf" in field:
        return " or ".join(_type_name(each, definitions) for each in field["anyOf"])
    if "enum" in field:
        return _list_values(field["enum"])
    if "prefixItems" in field:
        return f"[{', '.join(_type_name(each, definitions) for each in field['prefixItems'])}]"
    if field.get("type") == "array":
        return f"list of {_type_name(field.get('items', {}), definitions)}"
    return str(field.get("format") or field.get("type") or "any value")


def _list_values(values: Sequence[Any]) -> str:
    if len(values) > MAX_LISTED:
        return f"one of {len(values)} names such as {values[0]!r}"
    return " or ".join(map(str, values))
