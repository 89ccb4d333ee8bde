"""The training loop."""

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
from latelier.training.configs.training import Training, read_training, to_yaml
from latelier.training.loop.checkpoint import list_checkpoints
from latelier.training.loop.interruption import catch_signals
from latelier.training.loop.state import TrainingState, make_fabric
from latelier.training.monitoring.progress import TrainingProgress
from latelier.training.objective import Objective

Resume = bool | Literal["auto"]
"""False: a new run. True: continue from the last checkpoint. "auto": continue if there is one."""

_MAY_CHANGE = {
    "out", "steps", "workers", "accelerator", "log_every", "checkpoint_seconds", "sheet_every",
    "validate_every",
}  # fmt: skip
"""Fields that a resumed run may change."""


@dataclass(frozen=True)
class TrainingResult:
    """The end of a run.

    Attributes:
        step: Number of steps taken.
        finished: False after an interruption.
        result: The exported result; None after an interruption.
    """

    step: int
    finished: bool
    result: Path | None


def prepare_run(config: Training, resume: Resume) -> Path | None:
    """Check and create the run's folder, and return the checkpoint to continue from.

    Raises:
        InvalidConfigError: `out` is a file; it has checkpoints and `resume` is false, or none and
            `resume` is true; its run has another configuration; it cannot be written; or the
            accelerator is not available.
    """
    if config.out.exists() and not config.out.is_dir():
        raise InvalidConfigError(f"out: {config.out} is a file, expected a folder")
    make_fabric(config)  # raises if the accelerator is missing
    found = list_checkpoints(config.out / "checkpoints")
    if found and not resume:
        raise InvalidConfigError(
            f"{config.out} already holds a run at {found[-1].name}: resume it, or name another out"
        )
    if resume is True and not found:
        raise InvalidConfigError(f"{config.out} holds no checkpoint to resume from")
    stored = config.out / "config.yaml"
    if found and stored.exists():
        _check_same(config, read_training(stored, type(config)), stored)
    try:
        write_bytes(stored, to_yaml(config).encode())
    except OSError as error:
        raise InvalidConfigError(f"out: cannot write to {config.out} ({error})") from None
    return found[-1] if found else None


def train(
    objective: Objective,
    dataset: Dataset[Any],
    config: Training,
    checkpoint: Path | None,
    atelier: Atelier | None = None,
) -> TrainingResult:
    """Train `objective` from a checkpoint, or from the start, to the last step.

    Step n takes the samples n * batch_size to (n + 1) * batch_size - 1 of the data set, and its
    random numbers derive from (seed, n, sample index) alone. So a resumed run ends with the same
    weights as one that was never interrupted.

    The plugins of `atelier`, by default the default one, observe each step and checkpoint.
    """
    dispatcher = (atelier or default_atelier()).dispatcher()
    state = TrainingState(objective, config)
    if checkpoint is not None:
        state.restore(checkpoint)
    progress = TrainingProgress(
        config.out / "log.jsonl", state.step, config.steps, config.batch_size
    )
    if checkpoint is not None:
        progress.log({"event": "resumed", "step": state.step})
        progress.print(f"resumed at step {state.step}")
    for line in objective.describe():
        progress.print(line)
    last_save = time.monotonic()
    with progress, catch_signals() as stop:
        for batch in _make_loader(dataset, objective, state):
            losses = state.take_step(batch)

            # let plugins observe the step
            position = {"step": state.step, "steps": config.steps}
            dispatcher.emit("latelier_batch_trained", **position, losses=partial(_items, losses))

            # show progress
            progress.advance(state.step)
            if state.step % config.log_every == 0:
                state.report(progress)

            # measure on held-out samples
            if state.step % config.validate_every == 0 or state.is_finished:
                state.validate(progress)

            # draw samples
            if state.step % config.sheet_every == 0 or state.is_finished:
                state.draw_sample_sheet(progress)

            # save, and stop if a signal asked for it
            is_due = time.monotonic() - last_save > config.checkpoint_seconds
            if stop.received or state.is_finished or is_due:
                path = state.save()
                dispatcher.emit("latelier_checkpoint_saved", **position, path=path)
                last_save = time.monotonic()
                if stop.received and not state.is_finished:
                    progress.log({"event": "interrupted", "step": state.step})
                    progress.print(f"interrupted; saved {path}. The same command continues.")
                    return TrainingResult(state.step, finished=False, result=None)
    return TrainingResult(state.step, finished=True, result=state.export(progress))


def _make_loader(
    dataset: Dataset[Any], objective: Objective, state: TrainingState
) -> DataLoader[Any]:
    """Return the batches of the remaining steps."""
    config = state.config
    return DataLoader(
        dataset,
        batch_sampler=_RemainingBatches(state.step, config.steps, config.batch_size),
        collate_fn=objective.collate,
        num_workers=config.workers,
        generator=torch.Generator(),  # workers' seeds; without it the global state would be used
    )


class _RemainingBatches(Sampler[list[int]]):
    """The sample indices of each remaining step."""

    def __init__(self, first: int, steps: int, batch_size: int) -> None:
        self._steps = range(first, steps)
        self._batch_size = batch_size

    def __iter__(self) -> Iterator[list[int]]:
        for step in self._steps:
            yield list(range(step * self._batch_size, (step + 1) * self._batch_size))

    def __len__(self) -> int:
        return len(self._steps)


def _items(losses: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in losses.items()}


def _check_same(config: Training, stored: Training, path: Path) -> None:
    now, then = (each.model_dump(exclude=_MAY_CHANGE) for each in (config, stored))
    changed = sorted(name for name in now if now[name] != then[name])
    if changed:
        raise InvalidConfigError(
            f"{path} has another {', '.join(changed)}: resume with the same values, or name "
            "another out"
        )
