"""`latelier data`: prepare and check data sets, and look at the built-in one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latelier.cli.support.destinations import (
    Force,
    check_destination,
    plan_destinations,
    save,
    save_image,
)
from latelier.cli.support.lazy import LightTyper
from latelier.cli.support.output import show_line

if TYPE_CHECKING:
    from latelier.data.manifest.manifest import Manifest

app = LightTyper(help="Prepare, check and look at data sets.")


@app.callback()
def data() -> None:
    """Prepare, check and look at data sets."""


DataPath = Annotated[
    Path,
    typer.Argument(
        metavar="PATH",
        help="A folder of pictures, a manifest, annotations of COCO, tar shards, or a data set of "
        "Hugging Face on disk.",
    ),
]


@app.command()
def index(
    path: DataPath,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The manifest to write: .jsonl or .parquet."
        ),
    ] = Path("manifest.jsonl"),
    images: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="The pictures of annotations of COCO."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The split of a data set of Hugging Face."),
    ] = None,
    force: Force = False,
) -> None:
    """Write a manifest: one line for each picture of a data set.

    Files that cannot be used are listed with the reason. No file of the data set is changed.
    """
    from latelier.contracts.errors import InvalidInputError
    from latelier.data.manifest.manifest import write_manifest
    from latelier.data.manifest.parquet import write_parquet
    from latelier.data.measure import measure_pictures

    writers = {".jsonl": write_manifest, ".parquet": write_parquet}
    if output.suffix not in writers:
        raise InvalidInputError(f"{output}: expected a .jsonl or .parquet file")
    check_destination(output, force=force)
    manifest = measure_pictures(_open_manifest(path, images, split))
    write = writers[output.suffix]
    save(lambda file, replace: write(manifest, file, replace=replace), output, force=force)
    for skipped in manifest.skipped:
        typer.echo(f"left out: {skipped.name}: {skipped.reason}", err=True)
    typer.echo(f"{len(manifest)} pictures, {len(manifest.skipped)} left out", err=True)
    show_line(output)


@app.command()
def preview(
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="The PNG to write.")
    ] = "emoji-scenes.png",
    vocabulary: Annotated[str, typer.Option(metavar="NAME", help="basic or all.")] = "basic",
    count: Annotated[
        int, typer.Option("-n", min=1, max=1024, metavar="COUNT", help="Number of scenes.")
    ] = 32,
    seed: Annotated[int, typer.Option(min=0, metavar="SEED", help="Seed of the scenes.")] = 0,
    size: Annotated[int, typer.Option(metavar="SIDE", help="Side of a scene in pixels.")] = 64,
    background: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="plain, gradient, stripes, dots, checks or place. Repeatable; a kind that is "
            "given twice is drawn twice as often.",
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Draw a contact sheet of emoji scenes, each with its caption."""
    (path,) = plan_destinations(output, "emoji-scenes", [seed], force=force)

    from PIL import Image

    from latelier.contracts.errors import InvalidInputError
    from latelier.contracts.frozen import validate
    from latelier.data.contact_sheet import draw_contact_sheet
    from latelier.data.emoji_scenes import SceneConfig
    from latelier.data.emoji_scenes.dataset import EmojiScenes

    values = {"vocabulary": vocabulary, "size": size}
    if background:
        values["backgrounds"] = background
    config = validate(SceneConfig, values, "scenes", InvalidInputError)
    dataset = EmojiScenes(config, seed, count)
    scenes = [dataset.scene(index) for index in range(count)]
    sheet = draw_contact_sheet(
        [Image.fromarray(scene.image) for scene in scenes],
        [scene.caption for scene in scenes],
        tile=max(128, size),
    )
    save_image(sheet, path, force=force)
    show_line(path)


def _open_manifest(path: Path, images: Path | None, split: str | None) -> "Manifest":
    from latelier.data.converters.arrow import convert_arrow
    from latelier.data.converters.coco import convert_coco
    from latelier.data.converters.recognize import convert_data

    if images is not None:
        return convert_coco(path, images)
    if split is not None:
        return convert_arrow(path, split)
    return convert_data(path)
