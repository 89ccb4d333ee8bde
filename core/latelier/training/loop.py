"""The loop that both stages of training share."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from latelier.kernel.errors import InvalidConfigError
from latelier.training.checkpoint import (
    Checkpoint,
    checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from latelier.training.config import Training, read_training, written
from latelier.training.ema import Ema
from latelier.training.interruption import interruptible
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

Resume = bool | Literal["auto"]
"""False: start anew; True: go on from the last checkpoint; "auto": go on if there is one."""

_MAY_CHANGE = {
    "out", "steps", "workers", "accelerator", "log_every", "checkpoint_seconds", "sheet_every",
}  # fmt: skip


@dataclass(frozen=True)
class TrainingResult:
    """How a run ended: after `step` steps, finished or interrupted, with `result` exported."""

    step: int
    finished: bool
    result: Path | None


def begin(config: Training, resume: Resume) -> Path | None:
    """Prepare the run's folder, and return the checkpoint to go on from.

    Raises:
        InvalidConfigError: the folder has checkpoints and `resume` is false; it has none and
            `resume` is true; or the configuration is not that of the run that is there.
    """
    found = checkpoints(config.out / "checkpoints")
    if found and not resume:
        raise InvalidConfigError(
            f"{config.out} already holds a run at {found[-1].name}: resume it, or name another out"
        )
    if resume is True and not found:
        raise InvalidConfigError(f"{config.out} holds no checkpoint to resume from")
    copy = config.out / "config.yaml"
    if found and copy.exists():
        _check_same(config, read_training(copy, type(config)), copy)
    config.out.mkdir(parents=True, exist_ok=True)
    copy.write_text(written(config), encoding="utf-8")
    return found[-1] if found else None


def train(
    objective: Objective, dataset: Dataset[Any], config: Training, start: Path | None
) -> TrainingResult:
    """Train `objective` from the checkpoint `start`, or from the first step, to the last.

    Step n takes the samples n * batch_size to (n + 1) * batch_size - 1 of the data set, and every
    random number of it derives from (seed, n, sample index): resuming is seeking.
    """
    fabric = Fabric(accelerator=config.accelerator, devices=1, precision=config.precision)
    if config.channels_last:
        objective.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    module, optimizer = fabric.setup(objective, adamw(objective.trained, config.optimizer))
    run = _Run(objective, optimizer.optimizer, Ema(objective.trained, config.ema_decay), config)
    if start is not None:
        run.restore(load_checkpoint(start))
    loader = DataLoader(
        dataset,
        batch_sampler=_Batches(run.step, config.steps, config.batch_size),
        collate_fn=objective.collate,
        num_workers=config.workers,
        generator=torch.Generator(),  # workers' seeds; without it the global state would be used
    )
    progress = TrainingProgress(config.out / "log.jsonl", run.step, config.steps, config.batch_size)
    sums: dict[str, Tensor] = {}
    saved = time.monotonic()
    with progress, interruptible() as interruption:
        if start is not None:
            progress.record({"event": "resumed", "step": run.step})
            progress.say(f"resumed at step {run.step}")
        for batch in loader:
            lr = learning_rate(config.optimizer, run.step, config.steps)
            for group in optimizer.param_groups:
                group["lr"] = lr
            with seeded(config.seed, run.step, fabric.device):
                terms = module(fabric.to_device(batch), run.step)
            optimizer.zero_grad()
            fabric.backward(terms["loss"])
            fabric.clip_gradients(module, optimizer, max_norm=config.optimizer.clip)
            optimizer.step()
            run.ema.update()
            run.step += 1
            progress.advance(run.step)
            for name, value in terms.items():
                sums[name] = sums.get(name, 0) + value.detach()
            if run.step % config.log_every == 0:
                means = {name: value.item() / config.log_every for name, value in sums.items()}
                progress.report(run.step, {**means, "lr": lr})
                sums.clear()
            if run.step % config.sheet_every == 0 or run.step == config.steps:
                run.draw_sheet(progress)
            due = time.monotonic() - saved > config.checkpoint_seconds
            if due or interruption.requested or run.step == config.steps:
                path = run.save()
                saved = time.monotonic()
            if interruption.requested and run.step < config.steps:
                progress.record({"event": "interrupted", "step": run.step})
                progress.say(f"interrupted; saved {path}. The same command with --resume goes on.")
                return TrainingResult(run.step, finished=False, result=None)
    return TrainingResult(run.step, finished=True, result=run.export(progress))


class _Run:
    """The state of a run, and what is written of it."""

    def __init__(
        self, objective: Objective, optimizer: torch.optim.Optimizer, ema: Ema, config: Training
    ) -> None:
        self.step = 0
        self.objective = objective
        self.optimizer = optimizer
        self.ema = ema
        self.config = config

    def save(self) -> Path:
        trained = self.objective.trained
        checkpoint = Checkpoint(
            self.step,
            trained.state_dict(),
            self.ema.weights,
            optimizer_tensors(self.optimizer, trained),
            {"ema_updates": self.ema.updates, "steps": self.config.steps},
        )
        return save_checkpoint(self.config.out / "checkpoints", checkpoint)

    def restore(self, checkpoint: Checkpoint) -> None:
        trained = self.objective.trained
        trained.load_state_dict(checkpoint.weights)
        set_optimizer_tensors(self.optimizer, trained, checkpoint.optimizer)
        self.ema.set(checkpoint.ema, checkpoint.state["ema_updates"])
        self.step = checkpoint.step

    def draw_sheet(self, progress: TrainingProgress) -> None:
        with self._averaged():
            sheet, measured = self.objective.sheet()
        save_sheet(sheet, self.config.out / "sheets" / f"step-{self.step:08d}.png")
        if measured:
            progress.record({"event": "sheet", "step": self.step, **measured})
            shown = "  ".join(f"{name} {value:.5g}" for name, value in measured.items())
            progress.say(f"step {self.step} sheet: {shown}")

    def export(self, progress: TrainingProgress) -> Path:
        folder = self.config.out / "result"
        with self._averaged():
            self.objective.export(folder)
        progress.record({"event": "exported", "step": self.step})
        progress.say(f"finished; the result is in {folder}")
        return folder

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Have the averaged weights in the modules, in evaluation mode, while inside."""
        trained = self.objective.trained
        live = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
        trained.load_state_dict(self.ema.weights)
        trained.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            trained.train()
            trained.load_state_dict(live)


class _Batches(Sampler[list[int]]):
    """The indices of the samples of each remaining step."""

    def __init__(self, first: int, steps: int, batch_size: int) -> None:
        self._steps = range(first, steps)
        self._batch_size = batch_size

    def __iter__(self) -> Iterator[list[int]]:
        for step in self._steps:
            yield list(range(step * self._batch_size, (step + 1) * self._batch_size))

    def __len__(self) -> int:
        return len(self._steps)


def _check_same(config: Training, before: Training, copy: Path) -> None:
    now, then = (each.model_dump(exclude=_MAY_CHANGE) for each in (config, before))
    changed = sorted(name for name in now if now[name] != then[name])
    if changed:
        raise InvalidConfigError(
            f"the run in {copy.parent} has another {', '.join(changed)} (see {copy}): "
            "resume with that, or name another out"
        )
