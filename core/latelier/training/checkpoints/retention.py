"""Which checkpoints of a run are kept."""

import shutil
from pathlib import Path

from latelier.contracts.errors import ModelFileError
from latelier.training.checkpoints.checkpoint import list_checkpoints, read_state, step_of
from latelier.training.configs.operations import KeepConfig


def delete_superseded(folder: Path, keep: KeepConfig) -> None:
    """Delete the checkpoints that `keep` does not name; files of other names stay."""
    found = list_checkpoints(folder)
    kept = {*found[-keep.last :], *_best(found, keep.best)}
    if keep.every is not None:
        kept |= {path for path in found if step_of(path) % keep.every == 0}
    for path in found:
        if path not in kept:
            shutil.rmtree(path, ignore_errors=True)


def best_score(folder: Path) -> float | None:
    """Return the lowest score of the checkpoints in a folder; None if none has one."""
    scores = [_score(path) for path in list_checkpoints(folder)]
    return min((score for score in scores if score is not None), default=None)


def _best(found: list[Path], count: int) -> list[Path]:
    scores = {path: _score(path) for path in found}
    ranked = sorted((score, path) for path, score in scores.items() if score is not None)
    return [path for _, path in ranked[:count]]


def _score(path: Path) -> float | None:
    try:
        return read_state(path).get("score")
    except ModelFileError:
        return None
