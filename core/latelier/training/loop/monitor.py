"""What a run shows and logs, and what plugins observe. Only the first process does so."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console
from torch import Tensor

from latelier.kernel.atelier import Atelier
from latelier.training.loop.faults import Fault
from latelier.training.loop.folder.names import BRANCHES, RESULT
from latelier.training.loop.means import TermMeans
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.run import Run
from latelier.training.loop.state import StepOutcome
from latelier.training.monitoring.curves import draw_curves
from latelier.training.monitoring.log import TrainingLog
from latelier.training.monitoring.progress import TrainingProgress
from latelier.training.monitoring.tensorboard import open_tensorboard

LOG = "log.jsonl"
"""Name of the log in the folder of a run."""

_MAX_SHOWN = 8
"""Most samples at fault that a message names; the log has all."""


class Monitor:
    """Shows and logs the course of a run.

    Attributes:
        progress: The bar, the lines and the log.
    """

    def __init__(self, plan: TrainingPlan, run: Run, atelier: Atelier, first_step: int) -> None:
        config = run.config
        self._config = config
        self._is_first_rank = run.fabric.is_global_zero
        self._name_sample: Callable[[int], str] = plan.name_sample
        self._dispatcher = atelier.dispatcher()
        self._means = TermMeans()
        listeners = [open_tensorboard(config.out, first_step)] if config.tensorboard else []
        log = TrainingLog(config.out / LOG if self._is_first_rank else None, listeners)
        console = Console(stderr=True, quiet=not self._is_first_rank)
        self.progress = TrainingProgress(log, console, first_step, config.steps, config.batch_size)
        if run.checkpoint is not None:
            self.progress.log({"event": "resumed", "step": first_step})
            branches = config.out / BRANCHES
            kept = f"; results of fewer steps are in {branches}" if branches.is_dir() else ""
            self.progress.print(f"resumed at step {first_step}{kept}")
        if config.schedule.warmup >= config.steps:
            self.progress.print(
                f"the warm-up of {config.schedule.warmup} steps is not shorter than the run of "
                f"{config.steps}: the peak of the learning rate is never reached (schedule.warmup)"
            )
        if config.data.is_streamed:
            self.progress.print(
                "data.url streams: a run that is resumed goes on with other samples, so it is not "
                "exact; download the shards for that"
            )
        for line in plan.notes:
            self.progress.print(line)

    def observe_step(self, step: int, outcome: StepOutcome) -> None:
        """Report a step, number `step` counted from 1."""
        if outcome.fault is not None:
            self._report_fault(step, outcome.fault)
        else:
            self._means.add(outcome.losses)
        if self._is_first_rank:
            losses = partial(_items, outcome.losses)
            self._dispatcher.emit(
                "latelier_batch_trained", step=step, steps=self._config.steps, losses=losses
            )
        self.progress.advance(step)
        if step % self._config.log_every == 0:
            self.progress.report(step, {**self._means.values(), "lr": outcome.rate})
            self._means = TermMeans()

    def observe_checkpoint(self, step: int, path: Path) -> None:
        """Tell plugins of a checkpoint."""
        if self._is_first_rank:
            self._dispatcher.emit(
                "latelier_checkpoint_saved", step=step, steps=self._config.steps, path=path
            )

    def report_interruption(self, step: int, path: Path) -> None:
        """Report that the run was interrupted and how it continues."""
        self.progress.log({"event": "interrupted", "step": step})
        self.progress.print(f"interrupted; saved {path}. The same command continues.")

    def report_end(self, step: int) -> None:
        """Report that the run is finished, and draw its curves."""
        self.progress.log({"event": "exported", "step": step})
        if self._is_first_rank:
            try:
                draw_curves(self._config.out / LOG, self._config.out / "curves.png")
            except OSError as error:
                self.progress.warn_once("curves", f"the curves cannot be written ({error})")
        self.progress.print(f"finished; the result is in {self._config.out / RESULT}")

    def _report_fault(self, step: int, fault: Fault) -> None:
        names = [self._name_sample(position) for position in fault.positions]
        self.progress.log(
            {
                "event": "skipped",
                "step": step,
                "reason": fault.reason,
                "positions": list(fault.positions),
                "samples": names,
            }
        )
        if fault.is_overflow:
            return  # float16 overflows now and then, and no sample is at fault
        shown = ", ".join(names[:_MAX_SHOWN])
        more = f" and {len(names) - _MAX_SHOWN} more" if len(names) > _MAX_SHOWN else ""
        self.progress.print(f"warning: step {step} skipped: {fault.reason}; samples {shown}{more}")


def _items(losses: dict[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in losses.items()}
