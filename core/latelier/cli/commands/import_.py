"""`latelier import`: make a model of published weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latelier.cli.support.lazy import LightTyper
from latelier.cli.support.output import AsJson, show_columns, show_json, show_line

if TYPE_CHECKING:
    from latelier.conversion.importing import ImportReport


app = LightTyper()


@app.command()
def import_(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SRC",
            help="A checkpoint with its YAML in the same folder, a folder of both, a folder of "
            "diffusers, or owner/name[@revision] on the hub.",
        ),
    ],
    destination: Annotated[Path, typer.Argument(metavar="DEST", help="The folder to make.")],
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The YAML of a checkpoint.")
    ] = None,
    importer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="An importer; by default the one that knows the format."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="An option of the importer, such as name=canny for an adapter; an unknown one "
            "lists all. Repeatable.",
        ),
    ] = None,
    ignore_leftovers: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TENSOR",
            help="Ignore unexpected tensors of this name; * stands for any characters. Repeatable.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an existing folder of a model.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a model or adapter of published weights.

    Known formats are checkpoints of CompVis and Stable Diffusion, diffusers folders, and
    IP-Adapters; with the plugin latelier-addons ControlNets and T2I-Adapters too. A LoRA or an
    embedding is not imported: `latelier generate --adapter FILE` reads it.

    Pickles are read in a subprocess under limits, and nothing in them is run.
    """
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.progress import spinner
    from latelier.conversion.importing import import_model

    options = read_import_options(option or [])
    with spinner("importing") as show:
        report = import_model(
            source,
            destination,
            config=config,
            importer=importer,
            ignore_leftovers=ignore_leftovers or (),
            force=force,
            on_stage=show,
            atelier=load_atelier(),
            **options,
        )
    _show(report, as_json)


def read_import_options(texts: Sequence[str]) -> dict[str, Any]:
    """Return name -> value of 'NAME=VALUE'. A VALUE is JSON if it can be parsed, else text.

    Raises:
        InvalidInputError: a text is not NAME=VALUE, or repeats a name.
    """
    from latelier.cli.options.values import json_or_text
    from latelier.contracts.errors import InvalidInputError

    options: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name.isidentifier()) or name in options:
            raise InvalidInputError(f"--option: '{text}' is not NAME=VALUE, or is repeated")
        options[name] = json_or_text(value, "--option")
    return options


def _show(report: "ImportReport", as_json: bool) -> None:
    rows = [
        {"place": place, **component._asdict()} for place, component in report.components.items()
    ]
    if as_json:
        show_json(
            {
                "folder": str(report.folder),
                "importer": report.importer,
                "standalone_kind": report.standalone_kind,
                "components": rows,
                "inputs": list(report.inputs),
                "notes": list(report.notes),
            }
        )
        return
    show_columns(
        ("PART", "COMPONENT", "PARAMETERS", "PRECISION"),
        [(row["place"], row["id"], f"{row['parameters']:,}", row["precision"]) for row in rows],
    )
    for note in report.notes:
        show_line(f"- {note}")
    for name in report.inputs:
        place = report.folder if report.folder.is_absolute() else f"./{report.folder}"
        show_line(f"- use it with: --adapter {place} --condition {name}=@FILE")
    show_line(report.folder)
