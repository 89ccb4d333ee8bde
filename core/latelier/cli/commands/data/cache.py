"""`latelier data cache`: encode the pictures of a training once, before it."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latelier.cli.support.output import AsJson, show_fields, show_json, show_line

if TYPE_CHECKING:
    from latelier.training.data.cache.build import ViewResult
    from latelier.training.data.cache.cache import CacheState

_MAX_NAMES = 5


def cache(
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG.yaml",
            help="The configuration of a training on latents, with data.cache.",
        ),
    ],
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Write nothing: read all files again and show what is missing. "
            "The status is 1 if the cache is not complete.",
        ),
    ] = False,
    device: Annotated[
        str, typer.Option(metavar="DEVICE", help="Device of the first stage, or auto.")
    ] = "auto",
    workers: Annotated[
        int, typer.Option(min=0, metavar="COUNT", help="Processes that read pictures.")
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Write the latents of a training's pictures to the folder data.cache.

    What is already there stays, so the command can be repeated after a change or an interrupt.
    """
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.progress import track
    from latelier.pipeline.placement import resolve_device
    from latelier.training.data.cache.opening import open_cache

    opened = open_cache(config, load_atelier())

    def show_progress(results: "Iterable[ViewResult]", total: int) -> "Iterable[ViewResult]":
        return track(results, "encoding", total)

    if check:
        state = opened.check()
    else:
        placed, _ = resolve_device(device, "float32")
        state = opened.write(placed, workers, show_progress)
    if as_json:
        show_json({"folder": str(opened.folder), **vars(state)})
    else:
        _show(opened.folder, state)
    if not state.is_complete:
        raise typer.Exit(1)


def _show(folder: Path, state: "CacheState") -> None:
    show_fields(
        [
            ("folder", folder),
            ("views", f"{state.present} of {state.wanted}"),
            ("written", state.written),
            ("not needed", state.stale or None),
        ]
    )
    names = list(state.unusable.items())
    for name, reason in names[:_MAX_NAMES]:
        show_line(f"left out: {name}: {reason}")
    if len(names) > _MAX_NAMES:
        show_line(f"left out: {len(names) - _MAX_NAMES} more; --json lists all")
