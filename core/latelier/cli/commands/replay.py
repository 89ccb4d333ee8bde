"""`latelier replay`: make a picture again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latelier.cli.support.lazy import new_app
from latelier.cli.support.output import show_json

if TYPE_CHECKING:
    from latelier.pipeline.replay.replay import ReplayReport


app = new_app()


@app.command()
def replay(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="A PNG that latelier wrote.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write the new picture."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Where the model is now, if not where it was."),
    ] = None,
    pictures: Annotated[
        list[Path] | None,
        typer.Option(
            "--picture",
            metavar="FILE",
            help="A picture that it was made from, where that is not in it; repeatable.",
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="auto is where the picture was made, if it is here.")
    ] = "auto",
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="Go on where model or plugins are not those recorded."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Make a picture again and say what differs.

    Exit status: 0 where it is identical, or equal within tolerance; 1 where it differs.
    """
    from latelier.cli.support.application import atelier
    from latelier.cli.support.destinations import destinations, save
    from latelier.pipeline.replay.replay import replay as replayed

    paths = [] if output is None else destinations(output, picture.stem, [0], force=force)
    report = replayed(
        picture,
        model=model,
        pictures=pictures or (),
        device=device,
        anyway=anyway,
        atelier=atelier(),
    )
    save([report.picture], paths)
    if as_json:
        show_json(_about(report, paths))
    else:
        _show(report, paths)
    raise typer.Exit(1 if report.verdict == "different" else 0)


def _about(report: "ReplayReport", paths: list[Path]) -> dict[str, Any]:
    return {
        "verdict": report.verdict,
        "greatest": report.greatest,
        "altered": report.altered,
        "differences": list(report.differences),
        "path": str(paths[0]) if paths else None,
    }


def _show(report: "ReplayReport", paths: list[Path]) -> None:
    if report.greatest is None:
        size = "the sizes are not the same"
    else:
        size = f"pixels differ by at most {report.greatest} of 255"
    typer.echo(report.verdict if report.verdict == "identical" else f"{report.verdict}: {size}")
    if report.altered:
        typer.echo("  the file was altered: its pixels are not those that it records")
    for line in report.differences:
        typer.echo(f"  {line}")
    if report.verdict == "different" and not (report.differences or report.altered):
        typer.echo("  nothing that is recorded has changed")
    for path in paths:
        typer.echo(path)
