"""`latelier models`: what is there to generate with, and what can be built."""

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latelier.cli.commands import presets
from latelier.cli.support.lazy import LightTyper
from latelier.cli.support.output import AsJson, show_columns, show_fields, show_json, show_line

if TYPE_CHECKING:
    from latelier.checkpoints.manifests import StoredComponent, StoredFile
    from latelier.pipeline.storage.manifest_header import ManifestHeader


app = LightTyper(help="List, show, verify and build models.")

app.command()(presets.presets)

app.command()(presets.build)

MAX_INLINE = 32
"""Values of a list that `show` prints in full; it counts those of a longer one."""

Name = Annotated[str, typer.Argument(help="An embedded name, a folder, or owner/name on the hub.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the models that ship with latelier."""
    from latelier.pipeline.storage.manifest_header import read_manifest_header
    from latelier.pipeline.storage.sources import list_embedded

    outlines = {
        name: (folder, read_manifest_header(folder)) for name, folder in list_embedded().items()
    }
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "description": outline.description,
            "size": list(outline.defaults.size),
            "inputs": list(outline.inputs),
            "bytes": _bytes(_files(outline), folder),
        }
        for name, (folder, outline) in outlines.items()
    ]
    if as_json:
        show_json(rows)
        return
    show_columns(
        ("MODEL", "PIXELS", "FILES", "INPUTS", "DESCRIPTION"),
        [
            (
                row["name"],
                "x".join(map(str, row["size"])),
                _megabytes(row["bytes"]),
                ", ".join(row["inputs"]),
                row["description"],
            )
            for row in rows
        ],
    )


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show what a model consists of, what it takes, and its card."""
    from latelier.pipeline.storage.manifest_header import read_manifest_header
    from latelier.pipeline.storage.sources import find

    source = find(name)
    about = _about(name, source.folder, read_manifest_header(source.folder), source.revision)
    if as_json:
        show_json(about)
    else:
        _show_about(about)


@app.command()
def verify(name: Name, as_json: AsJson = False) -> None:
    """Hash every file of a model again and compare with its manifest.

    Exit status: 0 where all match, 2 where one does not.
    """
    from latelier.checkpoints.io.verification import verify as verify_file
    from latelier.contracts.errors import ModelFileError
    from latelier.pipeline.storage.manifest_header import read_manifest_header
    from latelier.pipeline.storage.sources import find

    folder = find(name).folder
    rows = []
    for file in _files(read_manifest_header(folder)):
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


def _about(
    name: str, folder: Path, outline: "ManifestHeader", revision: str | None
) -> dict[str, Any]:
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.schemas import input_schemas, vocabularies

    atelier = load_atelier()
    schemas = input_schemas(outline, atelier)
    words = vocabularies(outline, folder, atelier)
    return {
        "name": name,
        "folder": str(folder),
        "revision": revision,
        "latelier": outline.latelier,
        "description": outline.description,
        "inputs": {
            public: {
                "feeds": list(fed),
                "schema": schemas[public],
                "vocabulary": words.get(public, []),
            }
            for public, fed in outline.inputs.items()
        },
        "defaults": outline.defaults.model_dump(mode="json"),
        "process": outline.process,
        "components": {
            place: _component(stored, folder) for place, stored in outline.components().items()
        },
        "card": outline.card,
    }


def _component(stored: "StoredComponent", folder: Path) -> dict[str, Any]:
    from math import prod

    from latelier.checkpoints.io.header import read_header

    tensors = read_header(stored.weights.within(folder)) if stored.weights else {}
    return {
        "id": stored.id,
        "version": stored.version,
        "parameters": sum(prod(tensor["shape"]) for tensor in tensors.values()),
        "dtypes": sorted({tensor["dtype"] for tensor in tensors.values()}),
        "bytes": _bytes(stored.files(), folder),
        "files": [file.model_dump() for file in stored.files()],
        "config": stored.config,
    }


def _show_about(about: dict[str, Any]) -> None:
    from latelier.cli.support.schemas import describe_input

    show_fields([(key, about[key]) for key in ("name", "description", "folder", "revision")])
    inputs = {public: describe_input(each["schema"]) for public, each in about["inputs"].items()}
    for head, fields in (
        ("inputs", inputs),
        ("defaults", about["defaults"]),
        ("process", about["process"]),
    ):
        _show_section(head, fields)
    for public, each in about["inputs"].items():
        if each["vocabulary"]:
            show_line(f"\n{public} knows {len(each['vocabulary'])} names or words")
            show_line(textwrap.indent(textwrap.fill(", ".join(each["vocabulary"]), 98), "  "))
    for place, each in about["components"].items():
        dtypes = ", ".join(each["dtypes"]) or "no weights"
        head = f"{place}: {each['id']} {each['version']}, {each['parameters']:,} parameters"
        _show_section(f"{head} ({dtypes}), {_megabytes(each['bytes'])}", each["config"])
    _show_section("card", about["card"])


def _show_section(head: str, fields: dict[str, Any]) -> None:
    if fields:
        show_line(f"\n{head}")
        show_fields([(name, _inline(value)) for name, value in fields.items()], indent=2)


def _inline(value: Any) -> str:
    if isinstance(value, list | tuple) and len(value) > MAX_INLINE:
        return f"{len(value)} values"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _files(outline: "ManifestHeader") -> "list[StoredFile]":
    return [file for stored in outline.components().values() for file in stored.files()]


def _bytes(files: "Sequence[StoredFile]", folder: Path) -> int:
    from latelier.contracts.errors import ModelFileError

    try:
        return sum(file.within(folder).stat().st_size for file in files)
    except OSError as error:
        raise ModelFileError(f"{error.filename}: cannot be read: {error.strerror}") from None


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
