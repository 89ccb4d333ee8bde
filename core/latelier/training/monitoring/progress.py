"""Progress of a run: a bar in a terminal, plain lines elsewhere, and a log file."""

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class TrainingProgress:
    """Shows metrics, images per second and time left, and appends them to a JSON-lines file."""

    def __init__(self, log: Path, first: int, steps: int, batch_size: int) -> None:
        self._console = Console(stderr=True)
        self._log = log
        self._steps = steps
        self._batch_size = batch_size
        self._last_report = (first, time.perf_counter())
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

    def report(self, step: int, metrics: dict[str, float]) -> None:
        """Show and log the metrics of the steps since the last report."""
        last_step, last_time = self._last_report
        now = time.perf_counter()
        self._last_report = (step, now)
        seconds = max(now - last_time, 1e-9)
        rate = (step - last_step) * self._batch_size / seconds
        left = (self._steps - step) * seconds / max(step - last_step, 1)
        self.log({"step": step, **metrics, "images_per_second": round(rate, 2)})
        shown = format_metrics(metrics)
        if self._console.is_terminal:
            self._bar.update(self._task, description=f"{shown}  {rate:.1f} images/s")
        else:
            self.print(
                f"step {step}/{self._steps}  {shown}  {rate:.1f} images/s  {_clock(left)} left"
            )

    def log(self, values: dict[str, Any]) -> None:
        """Append one line to the log file."""
        line = json.dumps({**values, "time": round(time.time(), 1)})
        with self._log.open("a", encoding="utf-8") as log:
            log.write(line + "\n")

    def print(self, line: str) -> None:
        """Show a line."""
        self._console.print(line, highlight=False, soft_wrap=True)


def format_metrics(metrics: dict[str, float]) -> str:
    """Return metrics as text, such as "loss 0.5  kl 3"."""
    return "  ".join(f"{name} {value:.5g}" for name, value in metrics.items())


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
