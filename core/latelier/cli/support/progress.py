"""Progress of long commands on the standard error: bars on a terminal, rare lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

    from latelier.pipeline.picture import Picture, Preview

T = TypeVar("T")

LINE_SECONDS = 30.0
"""Between two lines of progress where there is no terminal, such as in a log file."""


@contextmanager
def spinner(title: str) -> Iterator[Callable[[str], None]]:
    """Show a spinner while a command runs; yield a function that names the current stage."""
    if not _has_terminal():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda stage: progress.update(task, description=f"{title}: {stage}")


def consume_with_progress(previews: "Iterator[Preview]") -> "Iterator[Picture]":
    """Run `previews` behind a progress bar; yield each picture as soon as it is finished."""
    if not _has_terminal():
        for preview in previews:
            yield from preview.pictures
        return
    with _open_bar("sampling") as progress:
        task = progress.add_task("sampling", total=None)
        for preview in previews:
            done = (preview.batch - 1) * preview.steps + preview.step
            progress.update(task, total=preview.batches * preview.steps, completed=done)
            if preview.pictures:
                progress.stop()  # the caller prints: a live bar would overwrite its lines
                yield from preview.pictures
                progress.start()


def track(items: Iterable[T], title: str, total: int) -> Iterator[T]:
    """Yield items behind a progress bar; without a terminal show a line now and then."""
    if not _has_terminal():
        yield from _track_in_lines(items, title, total)
        return
    from rich.console import Console
    from rich.progress import track as track_with_bar

    console = Console(stderr=True)
    yield from track_with_bar(items, title, total=total, console=console, transient=True)


def track_counts(done: Iterator[int], title: str, before: int, total: int) -> Iterator[int]:
    """Yield numbers of items that are finished, with their rate and the time left.

    Args:
        done: the numbers.
        title: what the items are.
        before: how many were finished before.
        total: of the items.
    """
    if not _has_terminal():
        yield from _count_in_lines(done, title, before, total)
        return
    start, count = time.monotonic(), 0
    with _open_bar(title, "rate") as progress:
        task = progress.add_task(title, total=total, completed=before, rate="")
        for number in done:
            count += number
            speed = count / max(time.monotonic() - start, 1e-9)
            progress.update(task, advance=number, rate=f"{speed:.1f}/s")
            yield number


def _open_bar(title: str, *fields: str) -> "Progress":
    """Return a bar with its numbers, fields of its task and the time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    shown = (TextColumn(f"{{task.fields[{name}]}}") for name in fields)
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), *shown, TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _count_in_lines(done: Iterator[int], title: str, before: int, total: int) -> Iterator[int]:
    start = last = time.monotonic()
    count = 0
    for number in done:
        count += number
        yield number
        now = time.monotonic()
        if now - last >= LINE_SECONDS and sys.stderr is not None:
            rate = count / (now - start)
            left = timedelta(seconds=round((total - before - count) / rate))
            sys.stderr.write(
                f"{before + count:,} of {total:,} {title}, {rate:.1f}/s, {left} left\n"
            )
            sys.stderr.flush()
            last = now


def _track_in_lines(items: Iterable[T], title: str, total: int) -> Iterator[T]:
    start = last = time.monotonic()
    for count, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= LINE_SECONDS and sys.stderr is not None:
            left = timedelta(seconds=round((now - start) / count * (total - count)))
            sys.stderr.write(f"{title}: {count:,} of {total:,}, {left} left\n")
            sys.stderr.flush()
            last = now


def _has_terminal() -> bool:
    """Return whether the standard error is a terminal. It is None if it is closed."""
    return sys.stderr is not None and sys.stderr.isatty()
