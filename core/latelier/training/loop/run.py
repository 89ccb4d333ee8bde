"""A run: its folder, its devices, and the checkpoint that it continues from."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, Literal

from lightning_fabric import Fabric

from latelier.contracts.errors import InvalidConfigError
from latelier.io.atomic import write_bytes
from latelier.io.file_lock import claim
from latelier.training.checkpoints.checkpoint import FOLDER, list_checkpoints
from latelier.training.configs.training import Training, read_training, to_yaml
from latelier.training.devices.fabric import make_fabric
from latelier.training.devices.memory import keep_freed_memory
from latelier.training.devices.ranks import call_on_first_rank
from latelier.training.loop.prolong import select_checkpoint, set_aside_later
from latelier.training.loop.split import BatchSplit
from latelier.training.monitoring.tensorboard import check_tensorboard

CONFIG = "config.yaml"
"""Name of the configuration in the folder of a run."""

_HEADER = "# The configuration of this run, written by latelier.\n"
"""First line of that file: without it, the file is the user's."""

Resume = bool | Literal["auto"]
"""False: a new run. True: continue from the last checkpoint. "auto": continue if there is one."""

_MAY_CHANGE = {
    "out", "steps", "workers", "accelerator", "devices", "num_nodes", "strategy", "accumulate",
    "log_every", "tensorboard", "checkpoint_seconds", "keep", "faults", "sheet_every",
    "sheet_weights", "validate_every",
}  # fmt: skip
"""Fields that a resumed run may change."""


@dataclass(frozen=True)
class Run:
    """A run whose folder is checked and locked.

    Attributes:
        config: The training's configuration.
        fabric: The devices.
        checkpoint: The checkpoint to continue from; None for a new run.
    """

    config: Training
    fabric: Fabric
    checkpoint: Path | None

    @property
    def split(self) -> BatchSplit:
        """How the rows of a step are split."""
        return _split_batch(self.config, self.fabric)


@dataclass(frozen=True)
class TrainingResult:
    """The end of a run.

    Attributes:
        step: Number of steps taken.
        finished: False after an interruption.
        result: The exported result; None after an interruption, and in all processes but the first.
    """

    step: int
    finished: bool
    result: Path | None


@contextmanager
def open_run(config: Training, resume: Resume) -> Iterator[Run]:
    """Launch the processes, check and create the run's folder, and yield the run.

    Raises:
        InvalidConfigError: `out` is a file, or has a config.yaml of the user; it has checkpoints
            and `resume` is false, or none and `resume` is true; its run has another configuration;
            it cannot be written; the accelerator or precision is not available; or the batch cannot
            be split evenly.
    """
    if config.tensorboard:
        check_tensorboard()
    fabric = make_fabric(config)

    def prepare() -> Path | None:
        _split_batch(config, fabric)  # raises if it cannot be split
        return _prepare_folder(config, resume, stack)

    with ExitStack() as stack:
        checkpoint = call_on_first_rank(fabric, prepare)
        if fabric.device.type == "cpu":
            stack.enter_context(keep_freed_memory())
        yield Run(config, fabric, checkpoint)


def _split_batch(config: Training, fabric: Fabric) -> BatchSplit:
    return BatchSplit(config.batch_size, config.accumulate, fabric.world_size, fabric.global_rank)


def _prepare_folder(config: Training, resume: Resume, stack: ExitStack) -> Path | None:
    """Check, create and lock the run's folder, and return the checkpoint to continue from."""
    out = config.out
    if out.exists() and not out.is_dir():
        raise InvalidConfigError(f"out: {out} is a file, expected a folder")
    _find_checkpoint(config, resume)  # raises before the folder is made
    try:
        out.mkdir(parents=True, exist_ok=True)
        stack.enter_context(claim(out))
        checkpoint = _find_checkpoint(config, resume)  # as it is now that no other process writes
        if checkpoint is None:
            _check_own(out / CONFIG)
        elif (former := _read_former(config)) is not None:
            set_aside_later(out / CONFIG, former, config, checkpoint)
        # written last: after a kill before it, the next start sets aside what is left
        write_bytes(out / CONFIG, (_HEADER + to_yaml(config)).encode())
    except BlockingIOError:
        raise InvalidConfigError(
            f"out: another process trains in {out}; wait for its end, or name another out"
        ) from None
    except OSError as error:
        raise InvalidConfigError(f"out: cannot write to {out} ({error})") from None
    return checkpoint


def _check_own(path: Path) -> None:
    """Check that the configuration of a run may be written to a path."""
    if path.exists() and not path.read_bytes().startswith(_HEADER.encode()):
        raise InvalidConfigError(
            f"out: {path} was not written by a run, and would be overwritten; rename it, or name "
            "another out"
        )


def _find_checkpoint(config: Training, resume: Resume) -> Path | None:
    """Return the checkpoint to continue from, or None for a new run."""
    found = list_checkpoints(config.out / FOLDER)
    if found and not resume:
        raise InvalidConfigError(
            f"{config.out} already holds a run at {found[-1].name}: resume it, or name another out"
        )
    if resume is True and not found:
        raise InvalidConfigError(f"{config.out} holds no checkpoint to resume from")
    former = _read_former(config) if found else None
    if former is None:
        return found[-1] if found else None
    _check_same(config, former, config.out / CONFIG)
    return select_checkpoint(found, former, config)


def _read_former(config: Training) -> Training | None:
    """Return the configuration in the run's folder, or None if there is no such file."""
    stored = config.out / CONFIG
    if not stored.exists():
        return None
    try:
        return read_training(stored, type(config))
    except InvalidConfigError as error:
        raise InvalidConfigError(
            f"out: {config.out} holds a run of another kind or version ({error}); name another out"
        ) from None


def _check_same(config: Training, stored: Training, path: Path) -> None:
    changed = sorted(
        _changed_fields(config.model_dump(), stored.model_dump())
        & _changed_fields(_dump_with_steps(config), _dump_with_steps(stored))
    )
    if changed:
        raise InvalidConfigError(
            f"{path} has another {', '.join(changed)}: resume with the same values, or name "
            "another out"
        )


def _changed_fields(now: dict[str, Any], then: dict[str, Any]) -> set[str]:
    return {name for name in now if name not in _MAY_CHANGE and now[name] != then[name]}


def _dump_with_steps(config: Training) -> dict[str, Any]:
    """Return the fields of a configuration, whose starts are numbers of steps, never shares."""
    fields = config.model_dump()
    for field, step in config.starts().items():
        *parents, name = field.split(".")
        reduce(getitem, parents, fields)[name] = step
    return fields
