"""Options that the commands of `latelier evaluate` share, and what they do with results."""

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latelier.cli.support.output import show_line

if TYPE_CHECKING:
    from latelier.evaluation.report.results import Results
    from latelier.evaluation.run.recording import Resources

Processes = Annotated[
    int,
    typer.Option(
        min=1,
        max=1024,
        help="Processes that compute at once. Any number gives the same results, also after a run "
        "was interrupted.",
    ),
]

PartOption = Annotated[
    str,
    typer.Option(
        "--part",
        metavar="K/N",
        help="Compute the K-th of N parts alone, such as 1/2 on one of two machines; `latelier "
        "evaluate merge` joins them.",
    ),
]

Network = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Network whose features are compared. By default scenes, which ships and knows emoji "
        "scenes alone; with --weights inception.",
    ),
]

Weights = Annotated[
    str | None,
    typer.Option(metavar="PATH", help="Weights of the network: a file, or a fetched hub id."),
]

Size = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="PIXELS", help="Side to which pictures are resized and cropped; none: as is."
    ),
]

BatchSize = Annotated[
    int, typer.Option(min=1, max=4096, help="Pictures that are computed at once.")
]

DEVICE = typer.Option(metavar="NAME", help="Where to compute: auto, cpu, cuda ...")

Device = Annotated[str, DEVICE]


def make_resources(processes: int, part: str = "1/1") -> "Resources":
    """Return what computes an evaluation, with progress on the standard error."""
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.progress import track_counts
    from latelier.evaluation.run.processes import compute_in
    from latelier.evaluation.run.recording import Part, Resources

    return Resources(compute_in(processes), Part.parse(part), track_counts, load_atelier())


def choose_network(name: str | None, weights: str | None) -> dict[str, Any]:
    """Return the field `network` of a configuration, without a name the default."""
    if name is None and weights is None:
        return {}
    config = {} if weights is None else {"weights": weights}
    return {"network": {"id": name or "inception", "config": config}}


def show_results(results: "Results", out: Path) -> None:
    """Show the figures, and where they are; exit with 1 if a measure could not be computed."""
    from latelier.evaluation.report.markdown import tabulate_figures

    unusable = results.provenance["unusable"]
    for each in unusable["samples"]:
        typer.echo(f"left out: {each}", err=True)
    if unusable["count"]:
        typer.echo(f"{unusable['count']} samples were left out", err=True)
    for note in dict.fromkeys(each.figure.note for each in results.figures if each.figure.note):
        typer.echo(f"note: {note}", err=True)
    show_line(tabulate_figures(results.figures))
    typer.echo(f"written to {out / 'results.md'}, .csv and .json", err=True)
    if any(isnan(each.figure.value) for each in results.figures):
        raise typer.Exit(1)
