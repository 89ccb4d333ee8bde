"""The end of the help of `generate`: what is installed to choose from."""

from typing import Any

from pydantic import BaseModel

from latelier.cli.support.adapters import adapter_inputs
from latelier.cli.support.application import atelier as new_atelier
from latelier.cli.support.schemas import in_words, input_schemas
from latelier.contracts.errors import LatelierError
from latelier.pipeline.manifest_header import read_manifest_header
from latelier.pipeline.sources import find


def write_choices(formatter: Any, model: str) -> None:
    """Write the conditions of `model`, and the names that are registered."""
    try:
        atelier = new_atelier()
    except LatelierError as error:
        formatter.write_paragraph()
        formatter.write_text(f"What is installed cannot be listed: {error}")
        return
    try:
        schemas = input_schemas(read_manifest_header(find(model).folder), atelier)
    except LatelierError:
        schemas = {}
    if schemas:
        with formatter.section(f"Conditions of {model}"):
            formatter.write_dl([(name, in_words(schema)) for name, schema in schemas.items()])
    adapters = adapter_inputs(atelier)
    if adapters:
        with formatter.section("Adapters"):
            formatter.write_dl([(name, _adapter(about)) for name, about in adapters.items()])
    names = {
        "samplers": atelier.samplers.names(),
        "schedules": atelier.schedules.names(),
        "guidance": atelier.guidances.names(),
        "conditioners": atelier.conditioners.names(),
    }
    with formatter.section("Installed"):
        formatter.write_dl([(kind, ", ".join(each)) for kind, each in names.items()])


def _adapter(about: tuple[str, type[BaseModel] | None] | str) -> str:
    """Return the condition that an adapter brings, in words."""
    if isinstance(about, str):
        return about
    name, model = about
    return f"{name}: {in_words(None if model is None else model.model_json_schema())}"
