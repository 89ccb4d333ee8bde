"""Runs that are resumed with another number of steps: where they continue.

With a warm-up, stable and decay schedule the rate is constant until the decay begins. A longer run
continues from there. The end of the shorter one is kept as a branch.
"""

from collections.abc import Sequence
from pathlib import Path

from latelier.contracts.errors import InvalidConfigError
from latelier.training.configs.training import Training
from latelier.training.optimization.schedule import decay_start
from latelier.training.step_names import step_of


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
