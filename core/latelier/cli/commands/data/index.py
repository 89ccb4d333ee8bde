"""`latelier data index`: write the manifest of a data set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latelier.cli.support.destinations import Force, check_destination, save
from latelier.cli.support.output import show_line

if TYPE_CHECKING:
    from latelier.data.manifest.manifest import Manifest

DataPath = Annotated[
    Path,
    typer.Argument(
        metavar="PATH",
        help="A folder of pictures, a manifest, annotations of COCO, tar shards, or a data set of "
        "Hugging Face on disk.",
    ),
]

RootOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder that the paths of a manifest are relative to; without it, that of the "
        "manifest's header, which must be in the manifest's own folder.",
    ),
]


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
    root: RootOption = None,
    force: Force = False,
) -> None:
    """Write a manifest: one line for each picture of a data set.

    Files that cannot be used are listed with the reason. No file of the data set is changed.
    """
    from latelier.contracts.errors import InvalidInputError
    from latelier.data.manifest.manifest import write_manifest
    from latelier.data.manifest.parquet import write_parquet
    from latelier.data.manifest.root import leads_out, suggest_root
    from latelier.data.measure import measure_pictures

    writers = {".jsonl": write_manifest, ".parquet": write_parquet}
    if output.suffix not in writers:
        raise InvalidInputError(f"{output}: expected a .jsonl or .parquet file")
    check_destination(output, force=force)
    manifest = measure_pictures(_open_manifest(path, images, split, root))
    write = writers[output.suffix]
    save(lambda file, replace: write(manifest, file, replace=replace), output, force=force)
    for skipped in manifest.skipped:
        typer.echo(f"left out: {skipped.name}: {skipped.reason}", err=True)
    typer.echo(f"{len(manifest)} pictures, {len(manifest.skipped)} left out", err=True)
    if leads_out(manifest.root, output):
        typer.echo(
            f"its pictures are not below its folder: to read it, {suggest_root(manifest.root)}",
            err=True,
        )
    show_line(output)


def _open_manifest(
    path: Path, images: Path | None, split: str | None, root: Path | None
) -> "Manifest":
    from latelier.data.converters.arrow import convert_arrow
    from latelier.data.converters.coco import convert_coco
    from latelier.data.converters.recognize import convert_data

    if images is not None:
        return convert_coco(path, images)
    if split is not None:
        return convert_arrow(path, split)
    return convert_data(path, root)
