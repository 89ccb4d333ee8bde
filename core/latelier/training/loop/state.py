"""The state of a training run: what a step changes, and what is saved of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latelier.training.loop.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from latelier.training.loop.means import TermMeans
from latelier.training.loop.objective_loss import (
    ObjectiveLoss,
    freeze_all_but_players,
    set_memory_format,
)
from latelier.training.loop.player import Player
from latelier.training.loop.precision import LossScale
from latelier.training.loop.run import Run
from latelier.training.monitoring.progress import TrainingProgress, format_metrics
from latelier.training.monitoring.sheets import save_sheet
from latelier.training.objective import Objective
from latelier.training.optimization.ema import Ema
from latelier.training.optimization.schedule import rate_at
from latelier.training.randomness import seed_torch


class TrainingState:
    """An objective, the optimizers of its players and the average of its weights.

    Attributes:
        config: The training's configuration.
        step: Number of steps taken.
    """

    def __init__(self, objective: Objective, run: Run) -> None:
        self.step = 0
        self.config = run.config
        self._objective = objective
        self._fabric = run.fabric
        freeze_all_but_players(objective)
        set_memory_format(objective, channels_last=self.config.channels_last)
        self._loss = self._fabric.setup_module(ObjectiveLoss(objective, self.config.precision))
        self._players = [
            Player(name, module, self.config.optimizer)
            for name, module in objective.players.items()
        ]
        self._ema = Ema(objective.trained, self.config.ema.lengths[0])
        self._scale = LossScale(self.config.precision)
        self._means = TermMeans()

    @property
    def is_finished(self) -> bool:
        """Whether all steps are taken."""
        return self.step >= self.config.steps

    def take_step(self, micro_batches: Sequence[Any]) -> dict[str, Tensor]:
        """Update each player and the average; return the mean losses and terms."""
        batches = [self._fabric.to_device(batch) for batch in micro_batches]
        losses: dict[str, Tensor] = {}
        for player in self._players:
            losses |= self._compute_gradients(player, batches)
            player.clip_gradients(self._scale.value)
            player.step(self._rate(self.step))
        self._ema.update()
        self.step += 1
        self._means.add(losses)
        return losses

    def _compute_gradients(self, player: Player, batches: Sequence[Any]) -> dict[str, Tensor]:
        """Compute the gradients of a player's loss; return means over the step's samples."""
        for each in self._players:
            each.require_gradients(each is player)
        player.zero_gradients()
        means, share = TermMeans(), self._scale.value / len(batches)
        for number, batch in enumerate(batches):
            is_last = number + 1 == len(batches)
            with self._fabric.no_backward_sync(self._loss, enabled=not is_last):
                terms = self._compute_loss(player, batch, number)
                self._fabric.backward(terms["loss"] * share)
            means.add({player.label(name): value.detach() for name, value in terms.items()})
        means.add_ranks(self._fabric)
        return means.tensors()

    def _compute_loss(self, player: Player, batch: Any, number: int) -> dict[str, Tensor]:
        # drop-out layers use the global random state
        part = self._fabric.global_rank * self.config.accumulate + number
        with seed_torch(self.config.seed, self.step, self._fabric.device, part):
            return self._loss(batch, self.step, player.name)

    def report(self, progress: TrainingProgress) -> None:
        """Report the mean losses since the last report."""
        progress.report(self.step, {**self._means.values(), "lr": self._rate(self.step - 1)})
        self._means = TermMeans()

    def _rate(self, step: int) -> float:
        return self.config.optimizer.lr * rate_at(self.config.schedule, step, self.config.steps)

    def save(self) -> Path:
        """Write a checkpoint and return its path."""
        weights: dict[str, Tensor] = {}
        optimizer: dict[str, Tensor] = {}
        for player in self._players:
            weights |= player.weights()
            optimizer |= player.optimizer_state()
        state = {
            "ema_updates": self._ema.updates,
            "steps": self.config.steps,
            "loss_scale": self._scale.state(),
        }
        checkpoint = Checkpoint(self.step, weights, self._ema.weights, optimizer, state)
        return save_checkpoint(self.config.out / "checkpoints", checkpoint)

    def restore(self, path: Path) -> None:
        """Restore the state from a checkpoint.

        Raises:
            ModelFileError: the checkpoint cannot be read.
        """
        checkpoint = load_checkpoint(path)
        for player in self._players:
            player.load(checkpoint.weights, checkpoint.optimizer)
        self._ema.load_state(checkpoint.ema, checkpoint.state["ema_updates"])
        self._scale.load_state(checkpoint.state["loss_scale"])
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
