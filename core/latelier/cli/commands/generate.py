"""`latelier generate`: make pictures.

    latelier generate "a red apple on a blue background" --seed 7 --output apple.png

The command parses its options, loads the model, generates, and writes each picture when it is
finished. Its docstring is its help. Options such as --steps and --sampler are made from the fields
of `latelier.pipeline.request.Request`.
"""

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latelier.cli.options.generate_command import GenerateCommand
from latelier.cli.options.option_help import with_option_names
from latelier.cli.options.request_options import add_request_options, read_request_options
from latelier.cli.support.destinations import (
    Force,
    check_sheet,
    plan_destinations,
    save_picture,
    save_sheet,
)
from latelier.cli.support.lazy import LightTyper
from latelier.cli.support.output import AsJson, show_json, show_line
from latelier.pipeline.storage.sources import DEFAULT_MODEL

if TYPE_CHECKING:
    from latelier.pipeline.picture import Picture

app = LightTyper()

File = typer.Option(metavar="FILE")
Name = typer.Option(metavar="NAME")


@app.command(cls=GenerateCommand)
@add_request_options(after="adapter")
def generate(
    prompt: Annotated[str | None, typer.Argument(metavar="PROMPT")] = None,
    output: Annotated[str | None, typer.Option("--output", "-o", metavar="FILE|FOLDER")] = None,
    model: Annotated[str, typer.Option("--model", "-m", metavar="NAME")] = DEFAULT_MODEL,
    condition: Annotated[list[str] | None, typer.Option(metavar="NAME[.FIELD]=VALUE|@FILE")] = None,
    reference: Annotated[list[str] | None, typer.Option(metavar="NAME|NUMBER|@FILE")] = None,
    adapter: Annotated[list[str] | None, typer.Option(metavar="NAME|FILE[:0.8]")] = None,
    device: Annotated[str, Name] = "auto",
    dtype: Annotated[str, Name] = "auto",
    compile_blocks: Annotated[bool, typer.Option("--compile")] = False,
    offload: Annotated[str | None, typer.Option(metavar="components|blocks")] = None,
    quantize: Annotated[str | None, typer.Option(metavar="int8|fp8")] = None,
    sheet: Annotated[Path | None, File] = None,
    force: Force = False,
    as_json: AsJson = False,
    **options: str | None,
) -> None:
    """Make pictures and print the path of each.

    Example:
        latelier generate "a red apple on a blue background" --seed 7 --output apple.png

    Args:
        prompt: description of the pictures.
        output: a .png or .jpg file, or a folder, where files are named by prompt and seed. By
            default one picture is latelier-SEED.png.
        model: an embedded name, a folder, or owner/name on the hub.
        condition: a condition: JSON or text, or the content of a picture, a .json file or a .npy
            file of numbers. Repeatable.
        reference: an object to draw, for a model that is shown reference pictures: a name or number
            in its database, or a picture of it. The prompt writes the first as #1. By default they
            are looked up in the prompt. Repeatable.
        adapter: an adapter to attach: a registered name, a folder, or the file of a LoRA or an
            embedding. After a colon stand its scale, or any of scale=0.8,start=0.1,end=0.7 (shares
            of the steps in which it acts) and input=NAME, another name of its condition. One with
            an input adds a condition. Repeatable.
        device: where to compute: auto, cpu, cuda ...
        dtype: precision: auto, float32, bfloat16 ...
        compile_blocks: compile the denoiser, which pays for many pictures.
        offload: keep the weights in main memory, and place a component, or a block of the denoiser,
            on the device while it is used.
        quantize: store the denoiser's linear layers in 8 bits; needs latelier[quantize].
        sheet: write one contact sheet of all pictures as well.
        force: replace existing files.
        as_json: print JSON.
        **options: one for each field of `Request`.
    """
    from latelier.cli.options.adapters import attach_adapters, read_adapters
    from latelier.cli.options.model_inputs import check_names, read_model_inputs
    from latelier.cli.options.sampler_names import translate_names
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.progress import consume_with_progress

    # Parse: every fault in an option is found before the model is loaded.
    request = {"n": 1, "seed": secrets.randbelow(2**31), **read_request_options(options)}
    seeds = range(request["seed"], request["seed"] + request["n"])
    filename_text = prompt or " ".join(condition or ())
    paths = plan_destinations(output, filename_text, seeds, force=force)
    check_sheet(sheet, paths, force=force)
    atelier = load_atelier(with_option_names)
    adapters = read_adapters(adapter or (), atelier)
    source, inputs = read_model_inputs(
        model, prompt, condition or (), atelier, adapters, reference or ()
    )
    request = translate_names(request, atelier)
    check_names(request, atelier)

    # Generate. Importing `load` imports torch, which takes seconds.
    from latelier.pipeline import load

    pipeline = load(
        source,
        device,
        dtype,
        compile=compile_blocks,
        offload=offload,
        quantize=quantize,
        atelier=atelier,
    )
    pipeline = attach_adapters(pipeline, adapters)
    previews = pipeline.stream(**inputs, **request)

    # Write each picture as soon as it is finished.
    pictures = consume_with_progress(previews)
    _save_pictures(pictures, paths, sheet, force=force, as_json=as_json)


def _save_pictures(
    pictures: Iterator["Picture"],
    paths: Sequence[Path],
    sheet: Path | None,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Save each picture as soon as it is finished, print its path, and save the sheet of all.

    What was looked up for the pictures goes to the standard error.

    Raises:
        KeyboardInterrupt: the user interrupted; says how many pictures were written.
    """
    written, on_sheet, rows, shown = 0, [], [], ""
    try:
        for picture, path in zip(pictures, paths, strict=True):
            drew = ", ".join(each["name"] or "a picture" for each in picture.provenance["drew"])
            if drew != shown:
                shown = drew
                typer.echo(f"drew: {drew}", err=True)
            save_picture(picture, path, force=force)
            written += 1
            if sheet is not None:
                on_sheet.append(picture)
            if as_json:
                rows.append(_to_json(picture, path))
            else:
                show_line(path)
    except KeyboardInterrupt:
        if not written:
            raise
        raise KeyboardInterrupt(f"{written} of {len(paths)} pictures written") from None
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
