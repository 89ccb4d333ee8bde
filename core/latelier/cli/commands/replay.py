"""`latelier replay`: make a picture again and compare the two."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latelier.cli.support.destinations import Force
from latelier.cli.support.lazy import LightTyper
from latelier.cli.support.output import AsJson, show_json, show_line

if TYPE_CHECKING:
    from latelier.pipeline.replay.replay import ReplayReport

app = LightTyper()


@app.command()
def replay(
    picture: Annotated[
        Path, typer.Argument(metavar="PICTURE", help="A PNG or JPEG written by latelier.")
    ],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write the new picture."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name or folder of the model, if it has moved."),
    ] = None,
    adapters: Annotated[
        list[str] | None,
        typer.Option(
            "--adapter",
            metavar="NAME=PATH",
            help="Where an adapter of the picture is, if it has moved. Repeatable.",
        ),
    ] = None,
    pictures: Annotated[
        list[Path] | None,
        typer.Option(
            "--picture",
            metavar="FILE",
            help="An input picture of the run that is too large to be stored in PICTURE. "
            "Repeatable.",
        ),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="auto is the device of the original run, if it is available."
        ),
    ] = "auto",
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="Go on if the model or a plugin differs from the record."),
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make a picture again and compare the two.

    Exit status: 0 if they are identical or equal within tolerance, 1 if they differ.
    """
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.destinations import plan_destinations, save_picture
    from latelier.pipeline.replay.replay import replay as replay_picture

    paths = [] if output is None else plan_destinations(output, picture.stem, [0], force=force)
    report = replay_picture(
        picture,
        model=model,
        adapters=read_places(adapters or []),
        pictures=pictures or (),
        device=device,
        anyway=anyway,
        atelier=load_atelier(),
    )
    for path in paths:
        save_picture(report.picture, path, force=force)
    if as_json:
        show_json(_to_json(report, paths))
    else:
        _show(report, paths)
    raise typer.Exit(1 if report.verdict == "different" else 0)


def read_places(texts: Sequence[str]) -> dict[str, str]:
    """Return name -> path of 'NAME=PATH'.

    Raises:
        InvalidInputError: a text is not NAME=PATH, or repeats a name.
    """
    from latelier.contracts.errors import InvalidInputError

    places: dict[str, str] = {}
    for text in texts:
        name, _, place = text.partition("=")
        if not (name and place) or name in places:
            raise InvalidInputError(f"--adapter: '{text}' is not NAME=PATH, or is repeated")
        places[name] = place
    return places


def _to_json(report: "ReplayReport", paths: list[Path]) -> dict[str, Any]:
    return {
        "verdict": report.verdict,
        "max_difference": report.max_difference,
        "altered": report.altered,
        "differences": list(report.differences),
        "path": str(paths[0]) if paths else None,
    }


def _show(report: "ReplayReport", paths: list[Path]) -> None:
    if report.max_difference is None:
        detail = "the sizes are not the same"
    else:
        detail = f"pixels differ by at most {report.max_difference} of 255"
    show_line(report.verdict if report.verdict == "identical" else f"{report.verdict}: {detail}")
    if report.altered:
        show_line("  the file was altered: its pixels are not those that it records")
    for line in report.differences:
        show_line(f"  {line}")
    if report.verdict == "different" and not (report.differences or report.altered):
        show_line("  nothing that is recorded has changed")
    for path in paths:
        show_line(path)
