"""The loop that both stages of training share."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from latelier.contracts.errors import InvalidConfigError
from latelier.io.atomic import write_bytes
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.training.checkpoint import checkpoints
from latelier.training.config import Training, read_training, written
from latelier.training.interruption import interruptible
from latelier.training.objective import Objective
from latelier.training.progress import TrainingProgress
from latelier.training.state import Run

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
    write_bytes(copy, written(config).encode())
    return found[-1] if found else None


def train(
    objective: Objective,
    dataset: Dataset[Any],
    config: Training,
    start: Path | None,
    atelier: Atelier | None = None,
) -> TrainingResult:
    """Train `objective` from the checkpoint `start`, or from the first step, to the last.

    Step n takes the samples n * batch_size to (n + 1) * batch_size - 1 of the data set, and every
    random number of it derives from (seed, n, sample index): resuming is seeking.

    The plugins of `atelier`, the default one if None, are told of each step and checkpoint.
    """
    dispatcher = (atelier or default_atelier()).dispatcher()
    run = Run(objective, config)
    if start is not None:
        run.restore(start)
    progress = TrainingProgress(config.out / "log.jsonl", run.step, config.steps, config.batch_size)
    if start is not None:
        progress.record({"event": "resumed", "step": run.step})
        progress.say(f"resumed at step {run.step}")
    saved = time.monotonic()
    with progress, interruptible() as interruption:
        for batch in _loader(dataset, objective, run):
            losses = run.take_step(batch)
            about = {"step": run.step, "steps": config.steps}
            dispatcher.emit("latelier_batch_trained", **about, losses=partial(_numbers, losses))
            progress.advance(run.step)
            if run.step % config.log_every == 0:
                run.report(progress)
            if run.step % config.sheet_every == 0 or run.finished:
                run.draw_sheet(progress)
            if interruption.requested and not run.finished:
                path = run.save()
                dispatcher.emit("latelier_checkpoint_saved", **about, path=path)
                progress.record({"event": "interrupted", "step": run.step})
                progress.say(f"interrupted; saved {path}. The same command with --resume goes on.")
                return TrainingResult(run.step, finished=False, result=None)
            if run.finished or time.monotonic() - saved > config.checkpoint_seconds:
                dispatcher.emit("latelier_checkpoint_saved", **about, path=run.save())
                saved = time.monotonic()
    return TrainingResult(run.step, finished=True, result=run.export(progress))


def _loader(dataset: Dataset[Any], objective: Objective, run: Run) -> DataLoader[Any]:
    """Return the batches of the steps that are left."""
    config = run.config
    return DataLoader(
        dataset,
        batch_sampler=_Batches(run.step, config.steps, config.batch_size),
        collate_fn=objective.collate,
        num_workers=config.workers,
        generator=torch.Generator(),  # workers' seeds; without it the global state would be used
    )


def _numbers(losses: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in losses.items()}


class _Batches(Sampler[list[int]]):
    """The indices of the samples of each step that is left."""

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
