"""`latelier evaluate merge`: join what several machines have computed."""

from pathlib import Path
from typing import Annotated

import typer

from latelier.cli.commands.evaluate.options import make_resources, show_results
from latelier.cli.support.destinations import Force, check_destination
from latelier.cli.support.output import show_line


def merge(
    parts: Annotated[
        list[Path],
        typer.Argument(
            metavar="PART...", help="Folders of runs, or files of references, of the same kind."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PATH", help="The whole: folder or file.")
    ],
    force: Force = False,
) -> None:
    """Join the parts of a run, and measure it; or the parts of a reference."""
    from latelier.contracts.errors import InvalidInputError

    _check_parts(parts)
    folders = [path for path in parts if path.is_dir()]
    if folders and len(folders) < len(parts):
        raise InvalidInputError(
            f"expected folders of runs or files of references, got both: '{folders[0]}' is a folder"
        )
    if folders:
        _merge_runs(parts, output, force)
    else:
        _merge_references(parts, output, force)


def _check_parts(parts: list[Path]) -> None:
    from latelier.contracts.errors import InvalidInputError

    found = set[Path]()
    for path in parts:
        if not path.exists():
            raise InvalidInputError(f"{path}: not found; expected a run or a reference")
        if path.resolve() in found:
            raise InvalidInputError(f"{path}: is named twice; name each part once")
        found.add(path.resolve())


def _merge_runs(parts: list[Path], output: Path, force: bool) -> None:
    from latelier.evaluation.run.merging import merge_runs

    show_results(merge_runs(parts, output, make_resources(1), force=force), output)


def _merge_references(parts: list[Path], output: Path, force: bool) -> None:
    from latelier.evaluation.records.reference import (
        merge_references,
        read_reference,
        write_reference,
    )

    check_destination(output, force=force)
    merged = merge_references([read_reference(path) for path in parts])
    write_reference(output, merged)
    typer.echo(f"{merged.count:,} pictures", err=True)
    show_line(output)
