"""A bar on the standard error while pictures are made."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latelier.pipeline.picture import Picture, Preview


def finished(previews: "Iterator[Preview]") -> "tuple[Picture, ...]":
    """Return the pictures at the end of `previews`; show the steps where a person looks on."""
    watched = _watched(previews) if sys.stderr.isatty() else previews
    pictures: tuple[Picture, ...] = ()
    for preview in watched:
        pictures = preview.pictures
    return pictures


def _watched(previews: "Iterator[Preview]") -> "Iterator[Preview]":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("sampling"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("sampling", total=None)
        for preview in previews:
            progress.update(task, total=preview.steps, completed=preview.step)
            yield preview
