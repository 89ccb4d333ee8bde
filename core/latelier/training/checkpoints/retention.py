"""Which checkpoints of a run are kept."""

import shutil
from contextlib import suppress
from pathlib import Path

from latelier.contracts.errors import ModelFileError
from latelier.training.checkpoints.checkpoint import list_checkpoints, read_state
from latelier.training.configs.training import Training
from latelier.training.optimization.schedule import decay_start
from latelier.training.step_names import step_of


def is_pinned(step: int, config: Training) -> bool:
    """Return whether the checkpoint of a step is always written and kept.

    The one at which the learning rate begins to decay is: from it the run can be prolonged.
    """
    every = config.keep.every
    is_milestone = every is not None and step % every == 0
    return is_milestone or step == decay_start(config.schedule, config.steps)


def delete_superseded(folder: Path, config: Training) -> None:
    """Delete the checkpoints that nothing keeps; files of other names stay.

    A checkpoint after a skipped step does not count among the last ones: its weights may be broken.
    """
    found = list_checkpoints(folder)
    sound = [path for path in found if not _is_suspect(path)]
    kept = {*found[-1:], *sound[-config.keep.last :], *_best(found, config.keep.best)}
    kept |= {path for path in found if is_pinned(step_of(path), config)}
    for path in found:
        if path not in kept:
            _delete(path)


def best_score(folder: Path) -> float | None:
    """Return the lowest score of the checkpoints in a folder; None if none has one."""
    scores = [_score(path) for path in list_checkpoints(folder)]
    return min((score for score in scores if score is not None), default=None)


def _delete(path: Path) -> None:
    """Delete a checkpoint; one that is half deleted has no name of a checkpoint."""
    doomed = path.with_name(f".{path.name}.part")
    with suppress(OSError):
        path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def _best(found: list[Path], count: int) -> list[Path]:
    scores = {path: _score(path) for path in found}
    ranked = sorted((score, path) for path, score in scores.items() if score is not None)
    return [path for _, path in ranked[:count]]


def _is_suspect(path: Path) -> bool:
    """Return whether the last step before a checkpoint was skipped."""
    try:
        return bool(read_state(path).get("faults", {}).get("bad_steps"))
    except ModelFileError:
        return False


def _score(path: Path) -> float | None:
    try:
        return read_state(path).get("score")
    except ModelFileError:
        return None
