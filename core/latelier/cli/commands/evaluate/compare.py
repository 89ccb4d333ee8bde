"""`latelier evaluate compare`: let a person compare two models, and measure both."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latelier.cli.commands.evaluate.options import Network, Weights, choose_network
from latelier.cli.support.destinations import Force, check_destination, save
from latelier.cli.support.output import show_line

if TYPE_CHECKING:
    from latelier.contracts.features import FeatureNetwork
    from latelier.contracts.measures import Measure
    from latelier.evaluation.comparison_sheet.sides import Side
    from latelier.kernel.atelier import Atelier

_DEFAULT_MEASURE = "inception_score"
_PAGE = "comparison.html"


def compare(
    models: Annotated[
        tuple[str, str],
        typer.Argument(
            metavar="MODEL[:KEY=VALUE,...] MODEL[:KEY=VALUE,...]",
            help="The two that are compared: an embedded name, a folder or a hub id, with keywords "
            "of `generate` such as steps=20,guidance=3; or a folder with a picture for each pair.",
        ),
    ],
    prompts: Annotated[
        Path, typer.Option(metavar="FILE", help="A text file with a prompt on each line.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder of the results.")
    ] = Path("comparison"),
    count: Annotated[
        int, typer.Option("-n", min=1, metavar="N", help="Pictures of each prompt.")
    ] = 1,
    seed: Annotated[
        int,
        typer.Option(
            min=0, help="Seed of the first picture, of both models, and of the order of the pairs."
        ),
    ] = 0,
    question: Annotated[
        str, typer.Option(metavar="TEXT", help="What a person is asked about each pair.")
    ] = "Which picture is better?",
    measure: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A measure that needs pictures and prompts alone. Repeatable. By default "
            f"{_DEFAULT_MEASURE}.",
        ),
    ] = None,
    network: Network = None,
    weights: Weights = None,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="Where to compute: auto, cpu, cuda ...")
    ] = "auto",
    force: Force = False,
) -> None:
    """Compare two models by pictures of the same prompts and seeds.

    Write a page on which a person chooses the better picture of each pair without knowing whose it
    is, and tables of measures. `latelier evaluate votes` counts what the page saves.
    """
    from latelier.cli.support.application import load_atelier
    from latelier.contracts.errors import InvalidInputError
    from latelier.evaluation.comparison_sheet.comparison import Comparison
    from latelier.evaluation.comparison_sheet.measuring import measure_side
    from latelier.evaluation.comparison_sheet.page import make_page
    from latelier.evaluation.comparison_sheet.sides import read_prompts
    from latelier.evaluation.report.files import write_comparison
    from latelier.evaluation.report.markdown import tabulate_runs
    from latelier.io.atomic import write_bytes

    page = output / _PAGE
    check_destination(page, force=force)
    if models[0] == models[1]:
        raise InvalidInputError(f"expected two models that differ, got '{models[0]}' twice")
    rows = [prompt for prompt in read_prompts(prompts) for _ in range(count)]
    atelier = load_atelier()
    measures = _build_measures(measure or [_DEFAULT_MEASURE], atelier)
    chosen = choose_network(network, weights).get("network", {"id": "scenes", "config": {}})
    features: FeatureNetwork = atelier.feature_networks.build(chosen["id"], chosen["config"])
    first, second = _make_sides(models, rows, seed, device, atelier)
    comparison = Comparison((first, second), rows, range(seed, seed + len(rows)), seed, question)
    results = [measure_side(side, rows, measures, features) for side in (first, second)]
    html = make_page(comparison, results).encode()
    save(lambda path, replace: write_bytes(path, html, replace=replace), page, force=force)
    write_comparison(results, output)
    show_line(tabulate_runs(results))
    typer.echo(f"open {page} in a browser", err=True)


def _build_measures(names: Sequence[str], atelier: "Atelier") -> "Mapping[str, Measure]":
    from latelier.evaluation.comparison_sheet.measuring import check_measures

    measures = {name: atelier.measures.build(name, {}) for name in names}
    check_measures(measures)
    return measures


def _make_sides(
    names: tuple[str, str], prompts: Sequence[str], seed: int, device: str, atelier: "Atelier"
) -> "list[Side]":
    """Return the pictures of both. All requests are checked before the first picture is made."""
    opened = [_open_side(name, prompts, seed, device, atelier) for name in names]
    return [finish() for finish in opened]


def _open_side(
    name: str, prompts: Sequence[str], seed: int, device: str, atelier: "Atelier"
) -> "Callable[[], Side]":
    """Return a function that returns the pictures of a model or of a folder."""
    from latelier.cli.options.values import read_named_options
    from latelier.cli.support.progress import consume_with_progress
    from latelier.evaluation.comparison_sheet.sides import Side, read_side, stream_pictures
    from latelier.pipeline import load
    from latelier.pipeline.storage.manifest_header import MANIFEST

    folder = Path(name)
    if folder.is_dir() and not (folder / MANIFEST).is_file():
        side = read_side(folder, len(prompts))
        return lambda: side
    named = read_named_options(name, "MODEL")
    pipeline = load(named["name"], device, atelier=atelier)
    previews = stream_pictures(name, pipeline, prompts, seed, **named["options"])
    return lambda: Side(name, [picture.image for picture in consume_with_progress(previews)])
