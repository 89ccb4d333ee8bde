"""`latelier strip`: remove provenance and other metadata from pictures."""

from pathlib import Path
from typing import Annotated

import typer

from latelier.cli.support.destinations import Force
from latelier.cli.support.lazy import LightTyper
from latelier.cli.support.output import AsJson, show_json, show_line

app = LightTyper()


@app.command()
def strip(
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURE...", help="PNG or JPEG files.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|FOLDER",
            help="Where to write. By default the files themselves are replaced, with --force.",
        ),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Remove provenance from pictures and print the path of each copy.

    Prompt, seed, model and all other metadata are removed; the pixels stay the same.
    """
    from latelier.cli.support.destinations import check_destination, save
    from latelier.io.atomic import write_bytes
    from latelier.provenance.strip import read_stripped

    targets = _plan_targets(pictures, output)
    for target in targets:
        check_destination(target, force=force)
    for picture in pictures:
        read_stripped(picture)  # a damaged picture is an error before the first file is written
    for picture, target in zip(pictures, targets, strict=True):

        def write(path: Path, replace: bool, picture: Path = picture) -> None:
            write_bytes(path, read_stripped(picture), replace=replace)

        save(write, target, force=force)
    if as_json:
        show_json([{"path": str(target)} for target in targets])
    else:
        for target in targets:
            show_line(target)


def _plan_targets(pictures: list[Path], output: Path | None) -> list[Path]:
    """Return the path of each stripped picture."""
    from latelier.contracts.errors import InvalidInputError

    if output is None:
        return pictures
    if output.suffix and not output.is_dir():
        if len(pictures) > 1:
            raise InvalidInputError(
                f"{output}: one file cannot hold {len(pictures)} pictures; name a folder"
            )
        return [output]
    targets = [output / picture.name for picture in pictures]
    if len(set(targets)) < len(targets):
        raise InvalidInputError(f"{output}: two of the pictures have the same name")
    return targets
