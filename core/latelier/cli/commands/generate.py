"""`latelier generate`: make pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latelier.cli.support.lazy import LightCommand, new_app
from latelier.cli.support.output import show_json

if TYPE_CHECKING:
    from latelier.kernel.atelier import Atelier
    from latelier.pipeline.picture import Picture


DEFAULT_MODEL = "emoji-scenes"

app = new_app()


class GenerateCommand(LightCommand):
    """Its help ends with what is installed; neither torch nor a weight is read for it."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write what there is to choose from."""
        from latelier.cli.support.choices_help import write_choices

        super().format_epilog(ctx, formatter)
        write_choices(formatter, DEFAULT_MODEL)


@app.command(cls=GenerateCommand)
def generate(
    prompt: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="What the pictures show.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|FOLDER",
            help="A .png, or a folder, where names are made of prompt and seed. "
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
    negative: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What to steer away from.")
    ] = None,
    count: Annotated[
        int, typer.Option("-n", min=1, metavar="COUNT", help="How many pictures.")
    ] = 1,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=2**63 - 1,
            metavar="SEED",
            help="Picture k has SEED + k. Drawn if not given.",
        ),
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="SIDE|WxH", help="Pixels: 64 or 96x64.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, metavar="COUNT", help="Sampling steps.")
    ] = None,
    sampler: Annotated[
        str | None, typer.Option(metavar="NAME[:KEY=VALUE,...]", help="Such as ddim:eta=0.5.")
    ] = None,
    schedule: Annotated[
        str | None, typer.Option(metavar="NAME[:KEY=VALUE,...]", help="Such as karras.")
    ] = None,
    guidance: Annotated[
        str | None,
        typer.Option(metavar="SCALE|NAME[:KEY=VALUE,...]", help="How closely to follow."),
    ] = None,
    noise: Annotated[
        str | None,
        typer.Option(
            metavar="independent|brownian",
            help="What a stochastic sampler draws; brownian: more steps come nearer to the same "
            "picture.",
        ),
    ] = None,
    init_image: Annotated[
        Path | None,
        typer.Option("--init-image", metavar="FILE", help="A picture to start from."),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(
            metavar="0..1",
            help="How far to go from --init-image: the share of the steps that is run. "
            "0.8, or 1 with --keep.",
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A mask of what stays of --init-image: white stays as it is, black is made anew.",
        ),
    ] = None,
    resample: Annotated[
        int | None,
        typer.Option(
            metavar="TIMES",
            help="Make each stretch of the run so often, so that what is made and what stays by "
            "--keep go together.",
        ),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            metavar="SIDE|WxH",
            help="Denoise in overlapping windows of so many pixels: for pictures larger than what "
            "the model was trained on.",
        ),
    ] = None,
    overlap: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=0.9,
            metavar="0..0.9",
            help="Least share of a --window that is the next one's too. 0.5.",
        ),
    ] = None,
    window_batch: Annotated[
        int | None,
        typer.Option(
            "--window-batch",
            min=1,
            metavar="COUNT",
            help="Most windows in one call of the denoiser.",
        ),
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="SIDE",
            help="Encode and decode in tiles of so many pixels; 0: the whole at once. "
            "256 above 512x512.",
        ),
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE|NAME=@FILE",
            help="A condition: JSON or text, or an image, or JSON in a .json file, or numbers in "
            "a .npy file. Repeatable.",
        ),
    ] = None,
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:scale=0.8]",
            help="An adapter to add, registered or a folder; it brings a condition. Repeatable.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda ...")] = "auto",
    dtype: Annotated[
        str, typer.Option(metavar="NAME", help="auto, float32, bfloat16 ...")
    ] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write paths, seeds and provenance as JSON.")
    ] = False,
) -> None:
    """Make pictures, and write the path of each."""
    from latelier.cli.support.adapters import read_adapters, with_adapters
    from latelier.cli.support.application import atelier as new_atelier
    from latelier.cli.support.destinations import destinations, save
    from latelier.cli.support.model_inputs import read_inputs
    from latelier.cli.support.watching import finished

    seed = _drawn() if seed is None else seed
    asked = _asked(negative, count, seed, size, steps, sampler, schedule, guidance, noise)
    asked |= _started(init_image, strength, keep) | {"resample": resample}
    asked |= _divided(window, overlap, window_batch, tile)
    words = prompt or " ".join(condition or ())
    paths = destinations(output, words, [seed + k for k in range(count)], force=force)
    atelier = new_atelier()
    adapters = read_adapters(adapter or (), atelier)
    source, inputs = read_inputs(model, prompt, condition or (), atelier, adapters)
    _check_names(asked, atelier)

    from latelier.pipeline import load

    pipeline = with_adapters(load(source, device, dtype, atelier=atelier), adapters)
    pictures = finished(pipeline.stream(**inputs, **asked))
    save(pictures, paths)
    if as_json:
        show_json([_about(picture, path) for picture, path in zip(pictures, paths, strict=True)])
    else:
        for path in paths:
            typer.echo(path)


def _drawn() -> int:
    import secrets

    return secrets.randbelow(2**31)


def _asked(
    negative: str | None,
    count: int,
    seed: int,
    size: str | None,
    steps: int | None,
    sampler: str | None,
    schedule: str | None,
    guidance: str | None,
    noise: str | None,
) -> dict[str, Any]:
    """Return the keywords of `Pipeline.stream` beside the inputs; None is the model's default."""
    from latelier.cli.support.values import read_choice, read_guidance, read_size

    return {
        "negative": negative,
        "n": count,
        "seed": seed,
        "size": None if size is None else read_size(size, "--size"),
        "steps": steps,
        "sampler": None if sampler is None else read_choice(sampler, "--sampler"),
        "schedule": None if schedule is None else read_choice(schedule, "--schedule"),
        "guidance": None if guidance is None else read_guidance(guidance),
        "noise": noise,
    }


def _started(init_image: Path | None, strength: float | None, keep: Path | None) -> dict[str, Any]:
    """Return the keywords of `Pipeline.stream` that start from a picture; each file is read."""
    from latelier.cli.support.values import read_mask, read_picture, read_strength

    return {
        "init_image": None if init_image is None else read_picture(init_image, "--init-image"),
        "strength": None if strength is None else read_strength(strength),
        "keep": None if keep is None else read_mask(keep, "--keep"),
    }


def _divided(
    window: str | None, overlap: float | None, window_batch: int | None, tile: int | None
) -> dict[str, Any]:
    """Return the keywords of `Pipeline.stream` for windows and tiles."""
    from latelier.cli.support.values import read_size

    return {
        "window": None if window is None else read_size(window, "--window"),
        "overlap": overlap,
        "window_batch": window_batch,
        "tile": tile,
    }


def _check_names(asked: Mapping[str, Any], atelier: "Atelier") -> None:
    """Look up names before a model is loaded, so that a misspelt one is told at once."""
    for key, registry in (
        ("sampler", atelier.samplers),
        ("schedule", atelier.schedules),
        ("guidance", atelier.guidances),
    ):
        if isinstance(asked[key], Mapping):
            registry.spec(asked[key]["name"])


def _about(picture: "Picture", path: Path) -> dict[str, Any]:
    return {
        "path": str(path),
        "seed": picture.seed,
        "width": picture.image.width,
        "height": picture.image.height,
        "provenance": picture.provenance,
    }
