"""When a run saves its state, and what happens if it cannot."""

from pathlib import Path

from latelier.contracts.errors import TrainingError
from latelier.training.checkpoints.checkpoint import list_checkpoints
from latelier.training.checkpoints.writer import CheckpointWriter
from latelier.training.devices.ranks import error_for_rank, try_together
from latelier.training.loop.folder.config import write_config
from latelier.training.loop.folder.names import CONFIG
from latelier.training.loop.run import Run
from latelier.training.loop.state import TrainingState
from latelier.training.monitoring.progress import TrainingProgress


class Saver:
    """Saves the state of a run; a full disk costs a checkpoint, never the run."""

    def __init__(self, run: Run, progress: TrainingProgress) -> None:
        self._writer = CheckpointWriter(run.config, run.fabric)
        self._config = run.config
        self._progress = progress
        self._fabric = run.fabric

    def save_if_due(self, state: TrainingState, score: float | None) -> Path | None:
        """Save the state if enough time has passed or its score is the best; return the path.

        After a skipped step nothing is saved: the weights before it may be the broken ones.
        """
        is_best = score is not None and (self._writer.best is None or score < self._writer.best)
        if state.is_finished or state.faults.bad_steps:
            return None
        if not (self._writer.is_due(state.step) or is_best):
            return None
        try:
            return self._write(state, score)
        except OSError as error:
            self._progress.log(
                {"event": "checkpoint_failed", "step": state.step, "error": str(error)}
            )
            self._progress.warn_once(
                "checkpoint",
                f"the checkpoint of step {state.step} cannot be written ({error}); training goes "
                f"on, {self._name_last()}, and the next attempt follows",
            )
            return None

    def save(self, state: TrainingState, score: float | None) -> Path:
        """Save the state at the end of a run.

        Raises:
            TrainingError: it cannot be written.
        """
        try:
            return self._write(state, score)
        except OSError as error:
            failed = TrainingError(
                f"the checkpoint of step {state.step} cannot be written ({error}); "
                f"{self._name_last()}. Free some space or restore access, and run the same command"
            )
            raise error_for_rank(self._fabric, failed) from None

    def _write(self, state: TrainingState, score: float | None) -> Path:
        try_together(self._fabric, self._restore_folder, first_only=True)
        path = self._writer.write(state.checkpoint(score))
        if score is not None:
            self._writer.best = min(score, self._writer.best or score)
        return path

    def _restore_folder(self) -> None:
        """Write the configuration again if the folder was deleted while the run trains."""
        out = self._config.out
        if not (out / CONFIG).exists():
            write_config(out, self._config)
            self._progress.warn_once(
                "folder", f"{out} was deleted or emptied; the run goes on and writes there again"
            )

    def _name_last(self) -> str:
        found = list_checkpoints(self._writer.folder)
        return f"the last checkpoint is {found[-1]}" if found else "there is no checkpoint yet"
