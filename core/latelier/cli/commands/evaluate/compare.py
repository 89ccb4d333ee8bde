"""`latelier evaluate compare`: let a person compare two models, and measure both."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latelier.cli.commands.evaluate.options import Device, Network, Size, Weights, choose_network
from latelier.cli.support.destinations import Force, check_destination, save
from latelier.cli.support.output import show_line

if TYPE_CHECKING:
    from latelier.contracts.features import FeatureNetwork
    from latelier.contracts.measures import Measure
    from latelier.evaluation.comparison_sheet.comparison import Comparison
    from latelier.evaluation.comparison_sheet.samples import Sample
    from latelier.evaluation.comparison_sheet.sides import Side
    from latelier.evaluation.protocol.data import EvaluationData
    from latelier.evaluation.report.results import Results
    from latelier.kernel.atelier import Atelier

_BUILT_IN = "emoji_scenes"
_OF_BUILT_IN = ("scene_objects", "scene_background")
_CAPTIONS = 40
_PAGE = "comparison.html"


def compare(
    models: Annotated[
        tuple[str, str],
        typer.Argument(
            metavar="MODEL[:KEY=VALUE,...]",
            help="The two that are compared, each an embedded name, a folder or a hub id, with "
            "keywords of `generate` such as steps=20,guidance=3; a folder with a picture for each "
            "pair; or 'originals', the pictures of --data.",
        ),
    ],
    prompts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A text file with a prompt on each line.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar=f"PATH|{_BUILT_IN}",
            help="In place of --prompts, a data set with captions, or the built-in one.",
        ),
    ] = None,
    pictures: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help=f"Captions of --data, spread evenly over it. By default {_CAPTIONS}.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder of the results.")
    ] = Path("comparison"),
    size: Size = None,
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
            help="A measure that needs no reference. Repeatable. By default none, or for the "
            f"built-in scenes {' and '.join(_OF_BUILT_IN)}.",
        ),
    ] = None,
    network: Network = None,
    weights: Weights = None,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Compare two models by pictures of the same prompts and seeds.

    Write a page on which a person chooses the better picture of each pair without knowing whose it
    is, and tables of measures. `latelier evaluate votes` counts what the page saves.
    """
    from dataclasses import replace

    from latelier.cli.support.application import load_atelier
    from latelier.contracts.errors import InvalidInputError
    from latelier.evaluation.comparison_sheet.comparison import Comparison
    from latelier.evaluation.comparison_sheet.measuring import (
        check_measures,
        check_originals,
        measure_side,
    )
    from latelier.pipeline.placement import resolve_device

    page = output / _PAGE
    check_destination(page, force=force)
    if models[0] == models[1]:
        raise InvalidInputError(f"expected two models that differ, got '{models[0]}' twice")
    atelier = load_atelier()
    names = measure or (_OF_BUILT_IN if data == _BUILT_IN else ())
    measures: dict[str, Measure] = {name: atelier.measures.build(name, {}) for name in names}
    check_originals(measures, [name for name in models if _is_model(name)])
    rows = _read_samples(prompts, data, size, pictures, measures, models)
    check_measures(measures, rows)
    features = _build_network(measures, network, weights, atelier)
    samples = [row for row in rows for _ in range(count)]
    first, second = _make_sides(models, samples, seed, device, atelier)
    shown = [sample["prompt"] for sample in samples]
    comparison = Comparison((first, second), shown, range(seed, seed + len(shown)), question, seed)
    place, _ = resolve_device(device, "auto")
    settings = {
        "samples": data or str(prompts),
        "seeds": f"{seed} to {seed + len(shown) - 1}",
        **({} if features is None else {"network": features.identity}),
    }
    results = [
        replace(measure_side(side, samples, measures, features, place), settings=settings)
        for side in (first, second)
    ]
    _write(comparison, results, page, force=force)


def _read_samples(
    prompts: Path | None,
    data: str | None,
    size: int | None,
    pictures: int | None,
    measures: "Mapping[str, Measure]",
    models: tuple[str, str],
) -> "list[Sample]":
    from latelier.contracts.errors import InvalidInputError
    from latelier.evaluation.comparison_sheet.measuring import list_fields
    from latelier.evaluation.comparison_sheet.samples import read_data, read_prompts
    from latelier.evaluation.comparison_sheet.sides import ORIGINALS

    if (prompts is None) == (data is None):
        raise InvalidInputError("expected either --prompts or --data")
    if data is None:
        assert prompts is not None
        if pictures is not None or size is not None:
            raise InvalidInputError("--pictures and --size are for --data, not for --prompts")
        return read_prompts(prompts)
    fields = list_fields(measures, with_originals=ORIGINALS in models)
    return read_data(_describe_data(data, size), pictures or _CAPTIONS, fields)


def _describe_data(name: str, size: int | None) -> "EvaluationData":
    from latelier.evaluation.protocol.data import EvaluationData

    if name == _BUILT_IN:
        return EvaluationData(config={} if size is None else {"size": size})
    return EvaluationData(path=Path(name), size=size)


def _build_network(
    measures: "Mapping[str, Measure]", name: str | None, weights: str | None, atelier: "Atelier"
) -> "FeatureNetwork | None":
    """Return the network of the features, None where no measure needs them."""
    from latelier.evaluation.comparison_sheet.measuring import join_needs

    if not join_needs(measures) & {"features", "logits"}:
        return None
    chosen = choose_network(name, weights).get("network", {"id": "scenes", "config": {}})
    network: FeatureNetwork = atelier.feature_networks.build(chosen["id"], chosen["config"])
    return network


def _make_sides(
    names: tuple[str, str], samples: "Sequence[Sample]", seed: int, device: str, atelier: "Atelier"
) -> "list[Side]":
    """Return the pictures of both. All requests are checked before the first picture is made."""
    opened = [_open_side(name, samples, seed, device, atelier) for name in names]
    return [finish() for finish in opened]


def _open_side(
    name: str, samples: "Sequence[Sample]", seed: int, device: str, atelier: "Atelier"
) -> "Callable[[], Side]":
    """Return a function that returns the pictures of a model, of a folder or of the data."""
    from latelier.cli.options.values import read_named_options
    from latelier.cli.support.progress import consume_with_progress
    from latelier.evaluation.comparison_sheet.sides import (
        ORIGINALS,
        Side,
        read_side,
        stream_pictures,
        take_originals,
    )
    from latelier.pipeline import load

    if name == ORIGINALS:
        originals = take_originals(samples)
        return lambda: originals
    if not _is_model(name):
        side = read_side(Path(name), len(samples))
        return lambda: side
    named = read_named_options(name, "MODEL")
    pipeline = load(named["name"], device, atelier=atelier)
    prompts = [sample["prompt"] for sample in samples]
    previews = stream_pictures(name, pipeline, prompts, seed, **named["options"])
    return lambda: Side(name, [picture.image for picture in consume_with_progress(previews)])


def _is_model(name: str) -> bool:
    """Return whether a side is made by a model: it is neither the data nor a folder of pictures."""
    from latelier.evaluation.comparison_sheet.sides import ORIGINALS
    from latelier.pipeline.storage.manifest_header import MANIFEST

    folder = Path(name)
    return name != ORIGINALS and (not folder.is_dir() or (folder / MANIFEST).is_file())


def _write(
    comparison: "Comparison", results: "Sequence[Results]", page: Path, *, force: bool
) -> None:
    """Write the page and, if there are any measures, their tables; show these and the path."""
    from latelier.evaluation.comparison_sheet.page import make_page
    from latelier.evaluation.report.files import write_comparison
    from latelier.evaluation.report.markdown import tabulate_runs
    from latelier.io.atomic import write_bytes

    html = make_page(comparison, results).encode()
    save(lambda path, replace: write_bytes(path, html, replace=replace), page, force=force)
    if any(each.figures for each in results):
        write_comparison(results, page.parent)
        show_line(tabulate_runs(results))
    show_line(page)
