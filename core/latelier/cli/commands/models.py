"""`latelier models`: list, show, verify, build and merge models."""

import json
import textwrap
from pathlib import Path
from typing import Annotated, Any

import typer

from latelier.cli.commands import merge, model_cache, presets
from latelier.cli.support.lazy import LightTyper
from latelier.cli.support.model_info import (
    count_bytes,
    describe_component,
    describe_model,
    format_bytes,
    read_parts,
)
from latelier.cli.support.output import AsJson, show_columns, show_fields, show_json, show_line

app = LightTyper(help="List, show, verify, build and merge models.")

app.command()(presets.presets)

app.command()(presets.build)

app.command()(merge.merge)

app.command()(model_cache.cache)

MAX_INLINE = 32
"""Values of a list or mapping that `show` prints in full; it counts those of a longer one."""

MAX_WORDS = 400
"""Words of a vocabulary that `show` prints; --json prints them all."""

Name = Annotated[str, typer.Argument(help="An embedded name, a folder, or owner/name on the hub.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the models that ship with latelier."""
    from latelier.pipeline.storage.manifest_header import read_manifest_header
    from latelier.pipeline.storage.sources import list_embedded

    rows: list[dict[str, Any]] = []
    for name, folder in list_embedded().items():
        header = read_manifest_header(folder)
        files = [file for stored in header.components().values() for file in stored.files()]
        rows.append(
            {
                "name": name,
                "description": header.description,
                "size": list(header.defaults.size),
                "inputs": list(header.inputs),
                "bytes": count_bytes(files, folder),
            }
        )
    if as_json:
        show_json(rows)
        return
    show_columns(
        ("MODEL", "PIXELS", "FILES", "INPUTS", "DESCRIPTION"),
        [
            (
                row["name"],
                "x".join(map(str, row["size"])),
                format_bytes(row["bytes"]),
                ", ".join(row["inputs"]),
                row["description"],
            )
            for row in rows
        ],
    )


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show the components, inputs and card of a model, or a component or adapter alone.

    Of a file, such as that of a LoRA, embedding or ControlNet, it shows what it is.
    """
    from latelier.checkpoints.manifests import read_adapter
    from latelier.cli.support.application import load_atelier
    from latelier.io.user_folders import expand_home
    from latelier.pipeline.storage.manifest_header import MANIFEST, read_manifest_header
    from latelier.pipeline.storage.sources import find

    path = expand_home(name)
    if path.is_file() and path.name != MANIFEST:
        _show_file(path, as_json=as_json)
        return
    source = find(name)
    kind, parts = read_parts(source.folder)
    if kind == "model":
        header = read_manifest_header(source.folder)
        about: dict[str, Any] = describe_model(
            name, source.folder, header, source.revision, load_atelier()
        )
    else:
        components = {
            place: describe_component(each, source.folder) for place, each in parts.items()
        }
        about = {"name": name, "standalone_kind": kind, "folder": str(source.folder)}
        about["components"] = components
    if kind == "adapter":
        stored = read_adapter(source.folder)
        about["description"] = stored.description
        about["input"] = stored.name if stored.conditioner is not None else None
    if as_json:
        show_json(about)
    elif kind == "model":
        _show_model(about)
    else:
        article = "an" if kind == "adapter" else "a"
        show_line(f"{name} is not a model: it holds {article} {kind.replace('_', ' ')} alone")
        show_fields([(key, about[key]) for key in ("description", "input") if about.get(key)])
        _show_components(about["components"])


@app.command()
def verify(name: Name, as_json: AsJson = False) -> None:
    """Hash every file of a model, component or adapter, and compare with its manifest.

    Exit status: 0 where all match, 2 where one does not.
    """
    from latelier.checkpoints.io.verification import verify as verify_file
    from latelier.contracts.errors import ModelFileError
    from latelier.pipeline.storage.sources import find

    folder = find(name).folder
    _, parts = read_parts(folder)
    rows = []
    for file in [file for stored in parts.values() for file in stored.files()]:
        fault = ""
        try:
            verify_file(file.within(folder), file.sha256, use_cache=False)
        except ModelFileError as error:
            fault = str(error)
        rows.append({"path": file.path, "sha256": file.sha256, "ok": not fault, "fault": fault})
    if as_json:
        show_json(rows)
    else:
        lines = [(row["path"], "ok" if row["ok"] else "WRONG", row["sha256"]) for row in rows]
        show_columns(("FILE", "STATE", "SHA-256"), lines)
    for row in rows:
        if row["fault"]:
            typer.echo(f"error: {row['fault']}", err=True)
    raise typer.Exit(0 if all(row["ok"] for row in rows) else 2)


def _show_file(path: Path, *, as_json: bool) -> None:
    from latelier.checkpoints.adapter_files import describe_adapter_file
    from latelier.cli.support.application import load_atelier
    from latelier.contracts.messages import one_line

    about = {"name": str(path), **describe_adapter_file(path, load_atelier())}
    if as_json:
        show_json(about)
    else:
        show_fields([(key, one_line(str(value or ""))) for key, value in about.items()])


def _show_model(about: dict[str, Any]) -> None:
    from latelier.cli.support.schemas import describe_input

    show_fields([(key, about[key]) for key in ("name", "description", "folder", "revision")])
    inputs = {public: describe_input(each["schema"]) for public, each in about["inputs"].items()}
    _show_section("inputs", inputs)
    _show_section("defaults", about["defaults"])
    _show_section("process", about["process"])
    for adapter, strength in about["adapters"].items():
        _show_section(f"adapter {adapter}", strength)
    for public, each in about["inputs"].items():
        _show_vocabulary(public, each["vocabulary"])
    _show_components(about["components"])
    _show_section("card", about["card"])


def _show_components(components: dict[str, Any]) -> None:
    for place, each in components.items():
        dtypes = ", ".join(each["dtypes"]) or "no weights"
        head = f"{place}: {each['id']} {each['version']}, {each['parameters']:,} parameters"
        _show_section(f"{head} ({dtypes}), {format_bytes(each['bytes'])}", each["config"])


def _show_vocabulary(public: str, words: list[str]) -> None:
    if not words:
        return
    show_line(f"\n{public} knows {len(words)} names or words")
    more = len(words) - MAX_WORDS
    rest = [f"... ({more} more: --json)"] if more > 0 else []
    text = ", ".join([*words[:MAX_WORDS], *rest])
    show_line(textwrap.indent(textwrap.fill(text, 98), "  "))


def _show_section(head: str, fields: dict[str, Any]) -> None:
    if fields:
        show_line(f"\n{head}")
        show_fields([(name, _inline(value)) for name, value in fields.items()], indent=2)


def _inline(value: Any) -> str:
    if isinstance(value, list | tuple | dict) and len(value) > MAX_INLINE:
        return f"{len(value)} values"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
