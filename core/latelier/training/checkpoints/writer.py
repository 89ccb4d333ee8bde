"""Writing checkpoints, from one process or several."""

import shutil
import time
from pathlib import Path

from lightning_fabric import Fabric

from latelier.io.atomic import move_folder
from latelier.training.checkpoints.checkpoint import (
    FOLDER,
    Checkpoint,
    write_state,
    write_tensors,
)
from latelier.training.checkpoints.retention import best_score, delete_superseded, is_pinned
from latelier.training.configs.training import Training
from latelier.training.devices.ranks import is_true_anywhere, try_together
from latelier.training.step_names import step_name


class CheckpointWriter:
    """Writes the checkpoints of a run when they are due.

    Attributes:
        best: Lowest score of a checkpoint; None before the first validation.
    """

    def __init__(self, config: Training, fabric: Fabric) -> None:
        self.folder = config.out / FOLDER
        self.best = best_score(self.folder)
        self._config = config
        self._fabric = fabric
        self._last_time = time.monotonic()

    def is_due(self, step: int) -> bool:
        """Return whether to write a checkpoint now; the clock is that of the first process."""
        if is_pinned(step, self._config):
            return True
        is_late = time.monotonic() - self._last_time > self._config.checkpoint_seconds
        return is_true_anywhere(self._fabric, is_late and self._fabric.is_global_zero)

    def write(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint, delete those that it supersedes, and return its path.

        Raises:
            OSError: a process cannot write its part; the other checkpoints stay.
        """
        self._last_time = time.monotonic()
        final = self.folder / step_name(checkpoint.step)
        partial = self.folder / f".{final.name}.part"
        rank = (self._fabric.global_rank, self._fabric.world_size)

        def begin() -> None:
            _delete_partial(self.folder)
            partial.mkdir(parents=True)

        def finish() -> None:
            write_state(partial, checkpoint)
            move_folder(partial, final)
            delete_superseded(self.folder, self._config)

        try:
            try_together(self._fabric, begin, first_only=True)
            try_together(
                self._fabric, lambda: write_tensors(partial, checkpoint, rank), first_only=False
            )
            try_together(self._fabric, finish, first_only=True)
        finally:
            if self._fabric.is_global_zero:
                shutil.rmtree(partial, ignore_errors=True)
        return final


def _delete_partial(folder: Path) -> None:
    """Delete what a killed process left behind; only one run at a time writes into `folder`."""
    if folder.is_dir():
        for partial in folder.glob(".*.part"):
            shutil.rmtree(partial)
