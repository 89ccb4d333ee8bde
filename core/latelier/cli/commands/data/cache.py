"""`latelier data cache`: encode the pictures and texts of a training once, before it."""

import os
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from latelier.cli.support.output import AsJson, show_fields, show_json, show_line

if TYPE_CHECKING:
    from latelier.training.data.cache.cache import Cache
    from latelier.training.data.cache.state import CacheState

T = TypeVar("T")

_MAX_NAMES = 5
_MAX_WORKERS = 16


def cache(
    training: Annotated[
        str,
        typer.Argument(
            metavar="TRAINING",
            help="The kind of training: denoiser, adapter, lora or distillation.",
        ),
    ],
    config: Annotated[
        Path,
        typer.Argument(metavar="CONFIG.yaml", help="Its configuration, with data.cache."),
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
        str, typer.Option(metavar="DEVICE", help="Device of the networks, or auto.")
    ] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="COUNT",
            help="Processes that read pictures; one for each two cores by default, at most 16.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the latents of a training's pictures to the folder data.cache.

    Also write the outputs of the frozen conditioners that data.cache.conditioners names.
    What is already there stays, so the command can be repeated after a change or an interrupt.
    """
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.progress import track
    from latelier.pipeline.placement import resolve_device
    from latelier.training.caching import open_caches

    opened, features = open_caches(training, config, load_atelier())

    def show_progress(results: Iterable[T], total: int) -> Iterable[T]:
        return track(results, "encoding", total)

    if check:
        state = opened.check()
        of_values = {each.name: each.check() for each in features}
    else:
        placed, _ = resolve_device(device, "float32")
        count = _default_workers() if workers is None else workers
        encode = partial(opened.encode, device=placed, workers=count)
        state = opened.write(encode, show_progress)
        of_values = {each.name: each.write(placed, show_progress) for each in features}
    show_states(opened, state, of_values, as_json=as_json)


def show_states(
    cache: "Cache", state: "CacheState", of_values: Mapping[str, "CacheState"], *, as_json: bool
) -> None:
    """Show what a cache holds; exit with 1 if it is not complete.

    Args:
        cache: the cache.
        state: of its views.
        of_values: of the values of conditioners, by their names.
        as_json: whether to print JSON.
    """
    if as_json:
        of_conditioners = {
            n: _to_json(each) for n, each in {**state.conditions, **of_values}.items()
        }
        show_json({"folder": str(cache.folder), **_to_json(state), "conditioners": of_conditioners})
    else:
        _show("folder", cache.folder, "views", state)
        for name, each in state.conditions.items():
            _show("conditioner", name, "views", each)
        for name, each in of_values.items():
            _show("conditioner", name, "inputs", each)
    if not all(each.is_complete for each in (state, *of_values.values())):
        raise typer.Exit(1)


def _default_workers() -> int:
    """Return the number of workers that take about as long as the networks on the other cores."""
    return min(max(1, (os.cpu_count() or 1) // 2), _MAX_WORKERS)


def _to_json(state: "CacheState") -> dict[str, Any]:
    return {name: value for name, value in vars(state).items() if name != "conditions"}


def _show(kind: str, name: object, entries: str, state: "CacheState") -> None:
    show_fields(
        [
            (kind, name),
            (entries, f"{state.present} of {state.wanted}"),
            ("written", state.written),
            ("not needed", state.stale or None),
        ]
    )
    unusable = list(state.unusable.items())
    for sample, reason in unusable[:_MAX_NAMES]:
        show_line(f"left out: {sample}: {reason}")
    if len(unusable) > _MAX_NAMES:
        show_line(f"left out: {len(unusable) - _MAX_NAMES} more; --json lists all")
