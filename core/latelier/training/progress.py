"""What a run shows while it goes on: a bar in a terminal, plain lines elsewhere, and a log file."""

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class TrainingProgress:
    """Reports losses, images a second and time left; appends each report to a JSON-lines file."""

    def __init__(self, log: Path, first: int, steps: int, batch_size: int) -> None:
        self._console = Console(stderr=True)
        self._log = log
        self._steps = steps
        self._batch_size = batch_size
        self._since = (first, time.perf_counter())
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=steps, completed=first)

    def __enter__(self) -> "TrainingProgress":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def advance(self, step: int) -> None:
        """Move the bar to `step`."""
        self._bar.update(self._task, completed=step)

    def report(self, step: int, values: dict[str, float]) -> None:
        """Show and log the values of the steps since the last report."""
        before, then = self._since
        now = time.perf_counter()
        self._since = (step, now)
        seconds = max(now - then, 1e-9)
        rate = (step - before) * self._batch_size / seconds
        left = (self._steps - step) * seconds / max(step - before, 1)
        self.record({"step": step, **values, "images_per_second": round(rate, 2)})
        shown = "  ".join(f"{name} {value:.5g}" for name, value in values.items())
        line = f"step {step}/{self._steps}  {shown}  {rate:.1f} images/s  {_clock(left)} left"
        if self._console.is_terminal:
            self._bar.update(self._task, description=f"{shown}  {rate:.1f} images/s")
        else:
            self.say(line)

    def record(self, values: dict[str, Any]) -> None:
        """Append one line to the log file."""
        line = json.dumps({**values, "time": round(time.time(), 1)})
        with self._log.open("a", encoding="utf-8") as log:
            log.write(line + "\n")

    def say(self, line: str) -> None:
        """Show a line."""
        self._console.print(line, highlight=False, soft_wrap=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
