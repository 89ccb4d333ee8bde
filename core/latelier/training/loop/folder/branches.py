"""Branches: the ends that a run leaves when it is prolonged, each a folder of its own.

A branch is the folder of a run like any other. What it has in common with the run that goes on is
linked, which takes no space, or copied on a file system without hard links.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from latelier.io.atomic import atomic_file
from latelier.training.checkpoints.checkpoint import FOLDER, list_checkpoints
from latelier.training.configs.training import Training
from latelier.training.loop.folder.config import write_config
from latelier.training.loop.folder.names import BRANCHES, RESULT
from latelier.training.optimization.averages import SNAPSHOTS, list_snapshots
from latelier.training.step_names import step_of

_PARTIAL = ".part"

_AT_START = ("fixed.json", "assets/*/*", "data/source-*.jsonl")
"""Files that a run writes before its first step (`TrainingPlan.initialize`), as patterns."""

_AT_END = (RESULT, f"{RESULT}-length-*", "report.json", "report-length-*.json", "curves.png")
"""What a run writes after its last step, as patterns."""


def set_aside_later(former: Training, config: Training, checkpoint: Path) -> None:
    """Move what a run made after `checkpoint` into a branch, if its number of steps changes.

    All is moved into a hidden folder that is named at the end. After a kill the next start goes on:
    the latest checkpoint moves first, so those that remain are always the beginning of the run.

    Args:
        former: The stored configuration of the run.
        config: The configuration to continue with.
        checkpoint: The checkpoint to continue from.

    Raises:
        OSError: a file cannot be moved, linked or written.
    """
    out, step = config.out, step_of(checkpoint)
    partial = out / BRANCHES / _PARTIAL
    if former.steps == config.steps and not partial.exists():
        return
    later = _made_after(out, step)
    if later and not partial.exists():
        partial.mkdir(parents=True)
    for path in later:
        target = partial / path.relative_to(out)
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
    if partial.exists():
        _link_beginning(out, partial, step)
        ends = list_checkpoints(partial / FOLDER) or [checkpoint]
        branch = _free_path(out / BRANCHES / f"{ends[-1].name}-of-{former.steps}")
        write_config(partial, former.model_copy(update={"out": branch}))
        partial.rename(branch)


def _made_after(out: Path, step: int) -> list[Path]:
    """Return what a run made after a step, the latest checkpoint first."""
    checkpoints = [path for path in list_checkpoints(out / FOLDER) if step_of(path) > step]
    snapshots = [path for path in list_snapshots(out / SNAPSHOTS) if step_of(path) > step]
    return [*reversed(checkpoints), *reversed(snapshots), *_find(out, _AT_END)]


def _link_beginning(out: Path, branch: Path, step: int) -> None:
    """Link what a run made up to a step, apart from checkpoints, into a branch of it."""
    snapshots = [path for path in list_snapshots(out / SNAPSHOTS) if step_of(path) <= step]
    for path in [*_find(out, _AT_START), *snapshots]:
        _link(path, branch / path.relative_to(out))


def _find(out: Path, patterns: Sequence[str]) -> list[Path]:
    return [path for pattern in patterns for path in sorted(out.glob(pattern))]


def _link(source: Path, target: Path) -> None:
    """Give a file a second name. Files of a run are replaced as a whole, so both stay the same."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():  # after a kill
        return
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        with atomic_file(target) as temporary:
            shutil.copyfile(source, temporary)


def _free_path(path: Path) -> Path:
    """Return `path`, or if it exists, the first of `path`-2, `path`-3, ... that does not."""
    free, number = path, 1
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free
