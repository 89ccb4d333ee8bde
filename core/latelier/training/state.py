"""One run: the state that a step changes, and what is written of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from latelier.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from latelier.training.config import Training
from latelier.training.ema import Ema
from latelier.training.objective import Objective
from latelier.training.optimization import (
    adamw,
    learning_rate,
    optimizer_tensors,
    set_optimizer_tensors,
)
from latelier.training.progress import TrainingProgress
from latelier.training.randomness import seeded
from latelier.training.sheets import save_sheet


class Run:
    """An objective, its optimizer and its average, after `step` steps."""

    def __init__(self, objective: Objective, config: Training) -> None:
        self.step = 0
        self.config = config
        self._objective = objective
        self._fabric = Fabric(accelerator=config.accelerator, devices=1, precision=config.precision)
        if config.channels_last:
            objective.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._module, self._optimizer = self._fabric.setup(
            objective, adamw(objective.trained, config.optimizer)
        )
        self._ema = Ema(objective.trained, config.ema_decay)
        self._sums: dict[str, Tensor] = {}
        self._summed = 0

    @property
    def finished(self) -> bool:
        """Whether there is no step left."""
        return self.step >= self.config.steps

    def take_step(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """Take one step of the optimizer, and of the average; return the loss and its terms."""
        rate = learning_rate(self.config.optimizer, self.step, self.config.steps)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        with seeded(self.config.seed, self.step, self._fabric.device):
            terms = self._module(self._fabric.to_device(batch), self.step)
        self._optimizer.zero_grad()
        self._fabric.backward(terms["loss"])
        self._fabric.clip_gradients(
            self._module, self._optimizer, max_norm=self.config.optimizer.clip
        )
        self._optimizer.step()
        self._ema.update()
        self.step += 1
        self._summed += 1
        losses = {name: value.detach() for name, value in terms.items()}
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0) + value
        return losses

    def report(self, progress: TrainingProgress) -> None:
        """Report the means since the last report."""
        means = {name: value.item() / self._summed for name, value in self._sums.items()}
        rate = learning_rate(self.config.optimizer, self.step - 1, self.config.steps)
        progress.report(self.step, {**means, "lr": rate})
        self._sums.clear()
        self._summed = 0

    def save(self) -> Path:
        """Write a checkpoint, and return its path."""
        trained = self._objective.trained
        checkpoint = Checkpoint(
            self.step,
            trained.state_dict(),
            self._ema.weights,
            optimizer_tensors(self._optimizer.optimizer, trained),
            {"ema_updates": self._ema.updates, "steps": self.config.steps},
        )
        return save_checkpoint(self.config.out / "checkpoints", checkpoint)

    def restore(self, path: Path) -> None:
        """Go back to a checkpoint."""
        checkpoint = load_checkpoint(path)
        trained = self._objective.trained
        trained.load_state_dict(checkpoint.weights)
        set_optimizer_tensors(self._optimizer.optimizer, trained, checkpoint.optimizer)
        self._ema.set(checkpoint.ema, checkpoint.state["ema_updates"])
        self.step = checkpoint.step

    def draw_sheet(self, progress: TrainingProgress) -> None:
        """Write a sample sheet, and report what was measured on it."""
        with self._averaged():
            sheet, measured = self._objective.sheet()
        save_sheet(sheet, self.config.out / "sheets" / f"step-{self.step:08d}.png")
        progress.record({"event": "sheet", "step": self.step, **measured})
        shown = "  ".join(f"{name} {value:.5g}" for name, value in measured.items())
        progress.say(f"step {self.step} sheet: {shown}")

    def export(self, progress: TrainingProgress) -> Path:
        """Write the result, and return its folder."""
        folder = self.config.out / "result"
        with self._averaged():
            self._objective.export(folder)
        progress.record({"event": "exported", "step": self.step})
        progress.say(f"finished; the result is in {folder}")
        return folder

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Have the averaged weights in the modules, in evaluation mode, while inside."""
        trained = self._objective.trained
        live = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
        trained.load_state_dict(self._ema.weights)
        trained.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            trained.train()
            trained.load_state_dict(live)
