"""Runs that are resumed with another number of steps.

With a warm-up, stable and decay schedule the rate is constant until the decay begins. A longer run
continues from there, and the decayed end of the shorter one stays as a result of its own.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from latelier.contracts.errors import InvalidConfigError
from latelier.training.checkpoints.checkpoint import FOLDER, list_checkpoints, step_of
from latelier.training.configs.training import Training
from latelier.training.optimization.schedule import decay_start

RESULT = "result"
"""Name of the folder of the result in the folder of a run."""


def select_checkpoint(found: Sequence[Path], former: Training, config: Training) -> Path:
    """Return the last checkpoint whose steps all had the rates of the new configuration.

    Args:
        found: The run's checkpoints, the earliest first; at least one.
        former: The configuration that they were trained with.
        config: The configuration to continue with.

    Raises:
        InvalidConfigError: the number of steps differs, and no checkpoint is early enough.
    """
    if former.steps == config.steps:
        return found[-1]
    starts = (decay_start(each.schedule, each.steps) for each in (former, config))
    latest = min(starts)
    usable = [path for path in found if step_of(path) <= latest]
    if not usable:
        raise InvalidConfigError(
            f"steps: expected {former.steps}, with which this run began, got {config.steps}: the "
            f"rates of a '{config.schedule.kind}' schedule differ from step {latest} on, and no "
            "checkpoint from before is kept. Start a new run from its result (start_from)"
        )
    return usable[-1]


def set_aside_later(out: Path, checkpoint: Path) -> None:
    """Delete the checkpoints after `checkpoint`, and keep the result of their run by its step."""
    later = [path for path in list_checkpoints(out / FOLDER) if step_of(path) > step_of(checkpoint)]
    result = out / RESULT
    if later and result.is_dir():
        result.rename(out / f"{RESULT}-{step_of(later[-1]):08d}")
    for path in later:
        shutil.rmtree(path)
