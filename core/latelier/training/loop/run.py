"""A run: its folder, its devices, and the checkpoint that it continues from."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lightning_fabric import Fabric

from latelier.contracts.errors import InvalidConfigError
from latelier.io.atomic import remove_leftovers
from latelier.io.file_lock import claim
from latelier.training.checkpoints.checkpoint import FOLDER, list_checkpoints
from latelier.training.configs.training import Training
from latelier.training.devices.fabric import make_fabric
from latelier.training.devices.memory import keep_freed_memory
from latelier.training.devices.ranks import call_on_first_rank
from latelier.training.loop.folder.branches import set_aside_later
from latelier.training.loop.folder.config import check_replaceable, read_config, write_config
from latelier.training.loop.folder.names import SHEETS
from latelier.training.loop.folder.prolong import select_checkpoint
from latelier.training.loop.split import BatchSplit
from latelier.training.monitoring.tensorboard import check_tensorboard
from latelier.training.optimization.averages import SNAPSHOTS

Resume = bool | Literal["auto"]
"""False: a new run. True: continue from the last checkpoint. "auto": continue if there is one."""


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
        for folder in (out, out / SHEETS, out / SNAPSHOTS):
            remove_leftovers(folder)
        checkpoint = _find_checkpoint(config, resume)  # as it is now that no other process writes
        if checkpoint is None:
            check_replaceable(out)
        elif (former := read_config(config)) is not None:
            set_aside_later(former, config, checkpoint)
        # written last: after a kill before it, the next start sets aside what is left
        write_config(out, config)
    except BlockingIOError:
        raise InvalidConfigError(
            f"out: another process trains in {out}; wait for its end, or name another out"
        ) from None
    except OSError as error:
        raise InvalidConfigError(f"out: cannot write to {out} ({error})") from None
    return checkpoint


def _find_checkpoint(config: Training, resume: Resume) -> Path | None:
    """Return the checkpoint to continue from, or None for a new run."""
    found = list_checkpoints(config.out / FOLDER)
    if found and not resume:
        raise InvalidConfigError(
            f"{config.out} already holds a run at {found[-1].name}: resume it, or name another out"
        )
    if resume is True and not found:
        raise InvalidConfigError(f"{config.out} holds no checkpoint to resume from")
    former = read_config(config) if found else None
    if former is None:
        return found[-1] if found else None
    return select_checkpoint(found, former, config)
