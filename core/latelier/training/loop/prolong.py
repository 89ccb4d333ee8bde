"""Runs that are resumed with another number of steps.

With a warm-up, stable and decay schedule the rate is constant until the decay begins. A longer run
continues from there. The end of the shorter one is kept as a branch, a folder of its own.
"""

from collections.abc import Sequence
from pathlib import Path

from latelier.contracts.errors import InvalidConfigError
from latelier.io.atomic import write_bytes
from latelier.training.checkpoints.checkpoint import FOLDER, list_checkpoints, step_of
from latelier.training.configs.training import Training
from latelier.training.optimization.averages import SNAPSHOTS, list_snapshots, snapshot_step
from latelier.training.optimization.schedule import decay_start

RESULT = "result"
"""Name of the folder of the result in the folder of a run."""

BRANCHES = "branches"
"""Name of the folder of ends that a prolonged run left, in the folder of a run."""

_PARTIAL = ".part"


def select_checkpoint(found: Sequence[Path], former: Training, config: Training) -> Path:
    """Return the last checkpoint whose steps would have been the same in the new configuration.

    Args:
        found: The run's checkpoints, the earliest first; at least one.
        former: The configuration that they were trained with.
        config: The configuration to continue with.

    Raises:
        InvalidConfigError: the number of steps differs, and it is below the last checkpoint, or no
            checkpoint is early enough.
    """
    if former.steps == config.steps:
        return found[-1]
    reached = step_of(found[-1])
    if config.steps < reached:
        raise InvalidConfigError(
            f"steps: expected {reached} or more, the step that this run has reached, got "
            f"{config.steps}; raise it, or name another out"
        )
    usable = _until_decay(found, former, config)
    for field, start in _moved_starts(former, config).items():
        usable = [path for path in usable if step_of(path) <= start]
        if not usable:
            raise InvalidConfigError(
                f"{field}: a share of the steps, which begins elsewhere with {config.steps} steps "
                f"than with {former.steps}, and no checkpoint up to step {start} is kept. Give it "
                f"as a number of steps: {former.starts()[field]}, as in this run"
            )
    return usable[-1]


def _until_decay(found: Sequence[Path], former: Training, config: Training) -> list[Path]:
    """Return the checkpoints whose steps all had the rates of the new configuration."""
    latest = min(decay_start(each.schedule, each.steps) for each in (former, config))
    usable = [path for path in found if step_of(path) <= latest]
    if not usable:
        raise InvalidConfigError(
            f"steps: expected {former.steps}, with which this run began, got {config.steps}: the "
            f"rates of a '{config.schedule.kind}' schedule differ from step {latest} on, and no "
            "checkpoint from before is kept. Start a new run from its result (start_from)"
        )
    return usable


def _moved_starts(former: Training, config: Training) -> dict[str, int]:
    """Return the earlier step of each start that differs between two configurations."""
    then, now = former.starts(), config.starts()
    return {
        field: min(step, now[field])
        for field, step in then.items()
        if field in now and step != now[field]
    }


def set_aside_later(stored: Path, former: Training, config: Training, checkpoint: Path) -> None:
    """Move what a run made after `checkpoint` into a branch, if its number of steps changes.

    A branch is the folder of a run: its configuration, checkpoints, snapshots and result. All is
    moved into a hidden folder that is named at the end. After a kill the next start goes on: the
    latest checkpoint moves first, so those that remain are always the beginning of the run.

    Args:
        stored: The file of the former configuration, in the folder of the run.
        former: The configuration in that file.
        config: The configuration to continue with.
        checkpoint: The checkpoint to continue from.
    """
    branches = stored.parent / BRANCHES
    partial = branches / _PARTIAL
    if former.steps == config.steps and not partial.exists():
        return
    later = _made_after(stored.parent, step_of(checkpoint))
    if later and not partial.exists():
        partial.mkdir(parents=True)
    for path in later:
        target = partial / path.relative_to(stored.parent)
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
    if partial.exists():
        write_bytes(partial / stored.name, stored.read_bytes())
        ends = list_checkpoints(partial / FOLDER) or [checkpoint]
        partial.rename(_free_path(branches / f"{ends[-1].name}-of-{former.steps}"))


def _made_after(out: Path, step: int) -> list[Path]:
    """Return the checkpoints, snapshots and result of a run after a step, the latest first."""
    checkpoints = [path for path in list_checkpoints(out / FOLDER) if step_of(path) > step]
    snapshots = [path for path in list_snapshots(out / SNAPSHOTS) if snapshot_step(path) > step]
    result = out / RESULT
    return [*reversed(checkpoints), *reversed(snapshots), *([result] if result.is_dir() else [])]


def _free_path(path: Path) -> Path:
    """Return `path`, or if it exists, the first of `path`-2, `path`-3, ... that does not."""
    free, number = path, 1
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free
