"""Shows what a training on other machines logs: the folder of its run is shared."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from latelier.training.configs.training import Training
from latelier.training.loop.monitor import LOG
from latelier.training.monitoring.log import read_line
from latelier.training.monitoring.progress import format_metrics
from rich.console import Console

_POLL_SECONDS = 1.0


@contextmanager
def show_log(config: Training) -> Iterator[None]:
    """Show the lines that a run adds to its log inside of the block."""
    path = config.out / LOG
    start = path.stat().st_size if path.is_file() else 0
    ended = threading.Event()
    thread = threading.Thread(target=_follow, args=(path, start, config.steps, ended))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _follow(path: Path, start: int, steps: int, ended: threading.Event) -> None:
    """Show the whole lines after a position of a file, until nothing more is written."""
    console, is_last = Console(stderr=True), False
    while not is_last:
        is_last = ended.wait(_POLL_SECONDS)
        if not path.is_file():
            continue
        with path.open("rb") as file:
            file.seek(start)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # it is being written
                start += len(line)
                if (values := read_line(line)) is not None:
                    text = describe(values, steps)
                    console.print(text, highlight=False, markup=False, soft_wrap=True)


def describe(line: Mapping[str, Any], steps: int) -> str:
    """Return a line of the log as text: "step 50/1000  loss 0.5", "resumed at step 50"."""
    if "event" in line:
        heading, values = f"{line['event']} at step {line.get('step', 0)}", line.get("ema", {})
    else:
        heading, values = f"step {line['step']}/{steps}", line
    shown = {name: values[name] for name in values if name not in ("step", "time")}
    return "  ".join(filter(None, (heading, format_metrics(shown))))
