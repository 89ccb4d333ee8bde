"""`latelier strip`: pictures without what is written in them."""

from pathlib import Path
from typing import Annotated

import typer

from latelier.cli.support.lazy import LightCommand, new_app
from latelier.cli.support.output import show_json

app = new_app()


@app.command(cls=LightCommand)
def strip(
    pictures: Annotated[list[Path], typer.Argument(metavar="PICTURE...", help="PNG files.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|FOLDER",
            help="Where to write; by default in place of each, with --force.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Write pictures without provenance or any other text, and the path of each.

    Prompt, seed, model and all else that tells how they were made go; the pixels stay.
    """
    from latelier.contracts.errors import InvalidInputError
    from latelier.provenance.strip import bare
    from latelier.provenance.strip import strip as stripped

    targets = _targets(pictures, output)
    for target in targets:
        if target.exists() and not force:
            raise InvalidInputError(f"{target}: is there already; --force replaces it")
    for picture in pictures:
        bare(picture)  # one that is damaged is told before any is written
    for picture, target in zip(pictures, targets, strict=True):
        try:
            stripped(picture, target)
        except OSError as error:
            reason = error.strerror or error
            raise InvalidInputError(f"{target}: cannot be written: {reason}") from None
    if as_json:
        show_json([{"path": str(target)} for target in targets])
    else:
        for target in targets:
            typer.echo(target)


def _targets(pictures: list[Path], output: Path | None) -> list[Path]:
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
