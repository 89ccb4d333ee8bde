"""The state of a training run: what a step changes, and what is saved of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latelier.contracts.errors import ModelFileError
from latelier.training.checkpoints.checkpoint import Checkpoint, load_checkpoint, unreadable
from latelier.training.devices.precision import LossScale
from latelier.training.devices.ranks import collect
from latelier.training.devices.shards import shard_like
from latelier.training.loop.faults import Fault, FaultDetector
from latelier.training.loop.means import TermMeans
from latelier.training.loop.objective_loss import ObjectiveLoss, prepare_objective
from latelier.training.loop.player import Player, make_players
from latelier.training.loop.run import Run
from latelier.training.objective import MODEL, Objective
from latelier.training.optimization.averages import WeightAverages
from latelier.training.optimization.schedule import rate_at
from latelier.training.randomness import seed_torch


@dataclass(frozen=True)
class StepOutcome:
    """What a step did.

    Attributes:
        losses: Means of the losses and terms over the step's samples; scalars.
        rate: Learning rate.
        fault: Why the step was skipped; None if it was taken.
    """

    losses: dict[str, Tensor]
    rate: float
    fault: Fault | None


class TrainingState:
    """An objective, the optimizers of its players and the average of its weights.

    Attributes:
        config: The training's configuration.
        step: Number of steps taken.
        faults: What finds steps to skip.
        averages: The averages of the trained weights.
    """

    def __init__(self, objective: Objective, run: Run) -> None:
        self.step = 0
        self.faults = FaultDetector()
        self.config, self._fabric = run.config, run.fabric
        prepare_objective(objective, self.config)
        self._loss = self._fabric.setup_module(ObjectiveLoss(objective, self.config.precision))
        self._trained = objective.trained
        self._players = make_players(objective, self.config.optimizer)
        self.averages = WeightAverages(objective.trained, self.config.ema)
        self._scale = LossScale(self.config.precision)

    @property
    def is_finished(self) -> bool:
        """Whether all steps are taken."""
        return self.step >= self.config.steps

    @property
    def weights(self) -> dict[str, Tensor]:
        """The trained weights; a process may have a part of each only."""
        return self._trained.state_dict()

    @property
    def average(self) -> dict[str, Tensor]:
        """The average of the weights that is evaluated and exported."""
        return self.averages.main.weights

    def take_step(self, micro_batches: Sequence[Any]) -> StepOutcome:
        """Update all players and the average, or none if a loss or gradient is unusable."""
        batches = [self._fabric.to_device(batch) for batch in micro_batches]
        share = rate_at(self.config.schedule, self.step, self.config.steps)
        losses: dict[str, Tensor] = {}
        fault: Fault | None = None
        is_finite = True
        for player in self._players:
            parts = self._compute_gradients(player, batches)
            means = TermMeans.of(parts, self._fabric)
            losses |= {player.label(name): value for name, value in means.items()}
            loss, is_finite = self._clip_gradients(player, means["loss"])
            samples = zip(parts, batches, strict=True)
            fault = self._find_fault(player, loss, samples, is_finite=is_finite)
            if fault is not None:
                break
        # no player moves before the gradients of all are known to be usable
        for player in self._players if fault is None else ():
            player.step(share)
        self._scale.update(is_finite=is_finite)
        self._count(fault, losses["loss"])
        self.step += 1
        return StepOutcome(losses, self.config.optimizer.lr * share, fault)

    def _compute_gradients(self, player: Player, batches: Sequence[Any]) -> list[dict[str, Tensor]]:
        """Compute the gradients of a player's mean loss; return the terms of each micro-batch."""
        for each in self._players:
            each.require_gradients(each is player)
        player.zero_gradients()
        parts = []
        for number, batch in enumerate(batches):
            is_last = number + 1 == len(batches)
            with self._fabric.no_backward_sync(self._loss, enabled=not is_last):
                terms = self._compute_loss(player, batch, number)
                self._fabric.backward(terms["loss"] * (self._scale.value / len(batches)))
            parts.append({name: value.detach() for name, value in terms.items()})
        return parts

    def _compute_loss(self, player: Player, batch: Any, number: int) -> dict[str, Tensor]:
        # drop-out layers use the global random state
        part = self._fabric.global_rank * self.config.accumulate + number
        with seed_torch(self.config.seed, self.step, self._fabric.device, part):
            return self._loss(batch, self.step, player.name)

    def _clip_gradients(self, player: Player, mean: Tensor) -> tuple[float, bool]:
        """Clip the gradients; return the mean loss and whether the gradients are finite."""
        norm = player.clip_gradients(self._scale.value)
        loss, is_finite = torch.stack([mean, norm.isfinite().float()]).tolist()
        return loss, bool(is_finite)

    def _find_fault(
        self,
        player: Player,
        loss: float,
        parts: Iterable[tuple[dict[str, Tensor], Any]],
        *,
        is_finite: bool,
    ) -> Fault | None:
        """Return what is wrong with the loss or the gradients, the same in each rank.

        `parts` are the terms of each micro-batch with the micro-batch.
        """
        limits = self.config.faults if player.name == MODEL else None
        reason = self.faults.find(loss, limits)
        is_overflow = reason is None and not is_finite and self._scale.value > 1
        if reason is None and not is_finite:
            reason = f"the gradient of the {player.name} is not finite"
        if reason is None:
            return None
        at_fault = [
            position
            for terms, batch in parts
            if not terms["loss"].isfinite()
            for position in batch["index"]
        ]
        everywhere = collect(self._fabric, at_fault)
        all_of_step = range(
            self.step * self.config.batch_size, (self.step + 1) * self.config.batch_size
        )
        return Fault(reason, sorted(everywhere) or all_of_step, is_overflow)

    def _count(self, fault: Fault | None, loss: Tensor) -> None:
        if fault is None:
            self.faults.count_good_step(loss.item())
            self.averages.update()
        else:
            self.faults.count_bad_step()

    def checkpoint(self, score: float | None) -> Checkpoint:
        """Return what a checkpoint stores; `score` is the quality of the weights, if measured."""
        weights: dict[str, Tensor] = {}
        optimizer: dict[str, Tensor] = {}
        for player in self._players:
            weights |= player.weights()
            optimizer |= player.optimizer_state()
        state = {
            "ema_updates": self.averages.main.updates,
            "steps": self.config.steps,
            "loss_scale": self._scale.state(),
            "faults": self.faults.state(),
            "score": score,
        }
        return Checkpoint(self.step, weights, self.averages.tensors(), optimizer, state)

    def restore(self, path: Path) -> None:
        """Restore the state from a checkpoint of any number of processes.

        Raises:
            ModelFileError: the checkpoint cannot be read, or it is one of another model.
        """
        checkpoint = load_checkpoint(path)
        for player in self._players:
            _check_same_tensors(path, player.weights(), checkpoint.weights)
        for player in self._players:
            player.load(checkpoint.weights, checkpoint.optimizer)
        averages = self.averages.tensors()
        _check_same_tensors(path, averages, checkpoint.ema)
        shards = {name: shard_like(checkpoint.ema[name], own) for name, own in averages.items()}
        try:
            self.averages.load(shards, int(checkpoint.state["ema_updates"]))
            self._scale.load_state(checkpoint.state["loss_scale"])
            self.faults.load_state(checkpoint.state["faults"])
        except (KeyError, TypeError, ValueError) as error:
            raise unreadable(path, error) from None
        if self.faults.good_steps and not checkpoint.optimizer:
            raise unreadable(path, ValueError("the state of the optimizer is empty"))
        self.step = checkpoint.step


def _check_same_tensors(path: Path, expected: dict[str, Tensor], found: dict[str, Tensor]) -> None:
    for name, tensor in expected.items():
        if name not in found or found[name].shape != tensor.shape:
            there = f"the shape {tuple(found[name].shape)}" if name in found else "no such tensor"
            raise ModelFileError(
                f"the checkpoint {path} is one of another model: expected '{name}' of the shape "
                f"{tuple(tensor.shape)}, found {there}; name another out"
            )
