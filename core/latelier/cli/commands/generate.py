"""`latelier generate`: make pictures."""

import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latelier.cli.options.generate_help import DEFAULT_MODEL, GenerateCommand
from latelier.cli.options.request_options import (
    add_request_options,
    errors_with_option_names,
    read_request_options,
)
from latelier.cli.support.destinations import (
    Force,
    check_sheet,
    plan_destinations,
    save_picture,
    save_sheet,
)
from latelier.cli.support.lazy import LightTyper
from latelier.cli.support.output import AsJson, show_json, show_line

if TYPE_CHECKING:
    from latelier.pipeline.picture import Picture

app = LightTyper()


@app.command(cls=GenerateCommand)
@add_request_options(after="adapter")
def generate(
    prompt: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="Description of the pictures.")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|FOLDER",
            help="A .png or .jpg file, or a folder, where files are named by prompt and seed. "
            "By default one picture is latelier-SEED.png.",
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="An embedded name, a folder, or owner/name on the hub.",
        ),
    ] = DEFAULT_MODEL,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[.FIELD]=VALUE|@FILE",
            help="A condition: JSON or text, or the content of a picture, a .json file or a .npy "
            "file of numbers. Repeatable.",
        ),
    ] = None,
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:scale=0.8]",
            help="An adapter to attach, a registered name or a folder; it adds a condition. "
            "Repeatable.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda ...")] = "auto",
    dtype: Annotated[
        str, typer.Option(metavar="NAME", help="auto, float32, bfloat16 ...")
    ] = "auto",
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write one contact sheet of all pictures as well."),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
    **options: str | None,
) -> None:
    """Make pictures and print the path of each."""
    from latelier.cli.options.adapters import attach_adapters, read_adapters
    from latelier.cli.options.model_inputs import check_names, read_model_inputs
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.progress import consume_with_progress

    request = {"n": 1, "seed": secrets.randbelow(2**31), **read_request_options(options)}
    seeds = range(request["seed"], request["seed"] + request["n"])
    filename_text = prompt or " ".join(condition or ())
    paths = plan_destinations(output, filename_text, seeds, force=force)
    check_sheet(sheet, paths, force=force)
    atelier = load_atelier()
    adapters = read_adapters(adapter or (), atelier)
    source, inputs = read_model_inputs(model, prompt, condition or (), atelier, adapters)
    check_names(request, atelier)

    from latelier.pipeline import load

    pipeline = attach_adapters(load(source, device, dtype, atelier=atelier), adapters)
    with errors_with_option_names():
        previews = pipeline.stream(**inputs, **request)
    pictures = consume_with_progress(previews)
    _save_pictures(pictures, paths, sheet, force=force, as_json=as_json)


def _save_pictures(
    pictures: Iterator["Picture"],
    paths: Iterable[Path],
    sheet: Path | None,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Save each picture as soon as it is finished, print its path, and save the sheet of all."""
    on_sheet, rows = [], []
    for picture, path in zip(pictures, paths, strict=True):
        save_picture(picture, path, force=force)
        if sheet is not None:
            on_sheet.append(picture)
        if as_json:
            rows.append(_to_json(picture, path))
        else:
            show_line(path)
    if sheet is not None:
        save_sheet(on_sheet, sheet, force=force)
    if as_json:
        show_json(rows)


def _to_json(picture: "Picture", path: Path) -> dict[str, Any]:
    return {
        "path": str(path),
        "seed": picture.seed,
        "width": picture.image.width,
        "height": picture.image.height,
        "provenance": picture.provenance,
    }
