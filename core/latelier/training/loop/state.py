"""The state of a training run: what a step changes, and what is saved of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from latelier.contracts.errors import InvalidConfigError
from latelier.training.configs.training import Training
from latelier.training.loop.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from latelier.training.monitoring.progress import TrainingProgress, format_metrics
from latelier.training.monitoring.sheets import save_sheet
from latelier.training.objective import Objective
from latelier.training.optimization.ema import Ema
from latelier.training.optimization.optimizer import (
    get_optimizer_state,
    load_optimizer_state,
    make_optimizer,
    set_rate,
)
from latelier.training.optimization.schedule import rate_at
from latelier.training.randomness import seed_torch


class TrainingState:
    """An objective, its optimizer and the average of its weights.

    Attributes:
        config: The training's configuration.
        step: Number of steps taken.
    """

    def __init__(self, objective: Objective, config: Training) -> None:
        self.step = 0
        self.config = config
        self._objective = objective
        self._fabric = make_fabric(config)
        if config.channels_last:
            objective.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._module, self._optimizer = self._fabric.setup(
            objective, make_optimizer(objective.trained, config.optimizer)
        )
        self._ema = Ema(objective.trained, config.ema.lengths[0])
        self._loss_sums: dict[str, Tensor] = {}
        self._loss_counts: dict[str, Tensor] = {}

    @property
    def is_finished(self) -> bool:
        """Whether all steps are taken."""
        return self.step >= self.config.steps

    def take_step(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """Update the weights and their average; return the loss and its terms."""
        # learning rate
        set_rate(self._optimizer.optimizer, self._rate(self.step))

        # forward; drop-out layers use the global random state
        with seed_torch(self.config.seed, self.step, self._fabric.device):
            terms = self._module(self._fabric.to_device(batch), self.step)

        # backward and update
        self._optimizer.zero_grad()
        self._fabric.backward(terms["loss"])
        self._fabric.clip_gradients(
            self._module, self._optimizer, max_norm=self.config.optimizer.clip
        )
        self._optimizer.step()
        self._ema.update()
        self.step += 1

        # sums for the next report, without terms that the batch has no value for
        losses = {name: value.detach() for name, value in terms.items()}
        for name, value in losses.items():
            self._loss_sums[name] = self._loss_sums.get(name, 0) + value.nan_to_num(0.0)
            self._loss_counts[name] = self._loss_counts.get(name, 0) + ~value.isnan()
        return losses

    def report(self, progress: TrainingProgress) -> None:
        """Report the mean losses since the last report."""
        counts = {name: count.item() for name, count in self._loss_counts.items()}
        means = {
            name: value.item() / counts[name]
            for name, value in self._loss_sums.items()
            if counts[name]
        }
        progress.report(self.step, {**means, "lr": self._rate(self.step - 1)})
        self._loss_sums.clear()
        self._loss_counts.clear()

    def _rate(self, step: int) -> float:
        return self.config.optimizer.lr * rate_at(self.config.schedule, step, self.config.steps)

    def save(self) -> Path:
        """Write a checkpoint and return its path."""
        trained = self._objective.trained
        checkpoint = Checkpoint(
            self.step,
            trained.state_dict(),
            self._ema.weights,
            get_optimizer_state(self._optimizer.optimizer, trained),
            {"ema_updates": self._ema.updates, "steps": self.config.steps},
        )
        return save_checkpoint(self.config.out / "checkpoints", checkpoint)

    def restore(self, path: Path) -> None:
        """Restore the state from a checkpoint.

        Raises:
            ModelFileError: the checkpoint cannot be read.
        """
        checkpoint = load_checkpoint(path)
        trained = self._objective.trained
        trained.load_state_dict(checkpoint.weights)
        load_optimizer_state(self._optimizer.optimizer, trained, checkpoint.optimizer)
        self._ema.load_state(checkpoint.ema, checkpoint.state["ema_updates"])
        self.step = checkpoint.step

    def validate(self, progress: TrainingProgress) -> None:
        """Report the metrics of held-out samples, of the weights and of their average."""
        with self._evaluate():
            raw = self._objective.validate()
        if not raw:
            return
        with self._use_average():
            average = self._objective.validate()
        progress.log({"event": "validation", "step": self.step, "ema": average, "raw": raw})
        progress.print(f"step {self.step} validation: {format_metrics(average)}")

    def draw_sample_sheet(self, progress: TrainingProgress) -> None:
        """Write a sample sheet and report its metrics."""
        with self._use_average():
            sheet, metrics = self._objective.draw_sample_sheet()
        save_sheet(sheet, self.config.out / "sheets" / f"step-{self.step:08d}.png")
        progress.log({"event": "sheet", "step": self.step, **metrics})
        progress.print(f"step {self.step} sheet: {format_metrics(metrics)}")

    def export(self, progress: TrainingProgress) -> Path:
        """Write the result and return its folder."""
        folder = self.config.out / "result"
        with self._use_average():
            self._objective.export(folder)
        progress.log({"event": "exported", "step": self.step})
        progress.print(f"finished; the result is in {folder}")
        return folder

    @contextmanager
    def _use_average(self) -> Iterator[None]:
        """Load the averaged weights, in evaluation mode, while inside."""
        trained = self._objective.trained
        weights = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
        trained.load_state_dict(self._ema.weights)
        try:
            with self._evaluate():
                yield
        finally:
            trained.load_state_dict(weights)

    @contextmanager
    def _evaluate(self) -> Iterator[None]:
        """Use evaluation mode, without gradients, while inside."""
        self._objective.trained.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self._objective.trained.train()


def make_fabric(config: Training) -> Fabric:
    """Return Lightning Fabric for a configuration.

    Raises:
        InvalidConfigError: this machine lacks the accelerator, or it lacks the precision.
    """
    try:
        return Fabric(accelerator=config.accelerator, devices=1, precision=config.precision)
    except (RuntimeError, ValueError) as error:
        raise InvalidConfigError(
            f"accelerator '{config.accelerator}' with precision '{config.precision}' is not "
            f"available: {error}"
        ) from None
