"""Progress of a run: a bar in a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from latelier.training.monitoring.log import TrainingLog

T = TypeVar("T")


class TrainingProgress:
    """Shows metrics, images per second, the wait for data and the time left, and logs them."""

    def __init__(
        self, log: TrainingLog, console: Console, first: int, steps: int, batch_size: int
    ) -> None:
        self._console = console
        self._log = log
        self._steps = steps
        self._batch_size = batch_size
        self._last_report = (first, time.perf_counter())
        self._waited = 0.0
        self._warned: set[str] = set()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
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

    def measure_wait(self, batches: Iterable[T]) -> Iterator[T]:
        """Yield batches, and add up the time that passes until they are there."""
        iterator = iter(batches)
        while True:
            start = time.perf_counter()
            try:
                batch = next(iterator)
            except StopIteration:
                return
            self._waited += time.perf_counter() - start
            yield batch

    def advance(self, step: int) -> None:
        """Move the bar to `step`."""
        self._bar.update(self._task, completed=step)

    def report(self, step: int, metrics: dict[str, float]) -> None:
        """Show and log the metrics of the steps since the last report."""
        last_step, last_time = self._last_report
        now = time.perf_counter()
        seconds = max(now - last_time, 1e-9)
        rate = (step - last_step) * self._batch_size / seconds
        wait = min(self._waited / seconds, 1.0)
        left = (self._steps - step) * seconds / max(step - last_step, 1)
        self._last_report, self._waited = (step, now), 0.0
        self.log(
            {
                "step": step,
                **metrics,
                "images_per_second": round(rate, 2),
                "data_wait": round(wait, 4),
            }
        )
        shown = f"{format_metrics(metrics)}  {rate:.1f} images/s  {wait:.0%} data wait"
        if self._console.is_terminal:
            self._bar.update(self._task, description=shown)
        else:
            self.print(f"step {step}/{self._steps}  {shown}  {_clock(left)} left")

    def log(self, values: dict[str, Any]) -> None:
        """Append one line to the log file; the first failure is shown."""
        self._log.write(values)
        if self._log.failure is not None:
            self.warn_once("log", f"the log cannot be written ({self._log.failure})")

    def warn_once(self, topic: str, line: str) -> None:
        """Show a warning, unless one of this topic was shown."""
        if topic not in self._warned:
            self._warned.add(topic)
            self.print(f"warning: {line}")

    def print(self, line: str) -> None:
        """Show a line."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def format_metrics(metrics: dict[str, float]) -> str:
    """Return metrics as text, such as "loss 0.5  kl 3"."""
    return "  ".join(f"{name} {value:.5g}" for name, value in metrics.items())


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
