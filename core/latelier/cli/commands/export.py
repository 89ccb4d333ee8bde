"""`latelier export`: write a model for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from latelier.cli.support.lazy import LightTyper
from latelier.cli.support.output import AsJson, show_columns, show_json, show_line

app = LightTyper()


@app.command()
def export(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A model's name or folder, or a component's folder."),
    ],
    destination: Annotated[Path, typer.Argument(metavar="DEST", help="The folder to make.")],
    format: Annotated[  # noqa: A002
        str, typer.Option("--format", metavar="FORMAT", help="diffusers.")
    ] = "diffusers",
    force: Annotated[bool, typer.Option("--force", help="Replace a diffusers folder.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a model as another program loads it."""
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.progress import spinner
    from latelier.contracts.errors import InvalidInputError
    from latelier.conversion.exporting import export_model

    if format != "diffusers":
        raise InvalidInputError(f"--format: unknown format '{format}'. Known: diffusers")
    with spinner("exporting") as show:
        report = export_model(
            model, destination, force=force, on_stage=show, atelier=load_atelier()
        )
    if as_json:
        show_json(
            {
                "folder": str(report.folder),
                "components": dict(report.components),
                "notes": list(report.notes),
            }
        )
        return
    show_columns(("FOLDER", "CLASS"), list(report.components.items()))
    for note in report.notes:
        show_line(f"- {note}")
    show_line(report.folder)
