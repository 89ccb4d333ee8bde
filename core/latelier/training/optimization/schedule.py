"""The learning rate of each step, as a share of its peak."""

from math import ceil, cos, pi

from latelier.training.configs.optimization import (
    Constant,
    Cosine,
    ScheduleConfig,
    WarmupStableDecay,
)


def rate_at(schedule: ScheduleConfig, step: int, steps: int) -> float:
    """Return the share of the peak rate at step `step`, 0 to `steps - 1`, of a run."""
    warm = min((step + 1) / max(schedule.warmup, 1), 1.0)
    match schedule:
        case Constant():
            return warm
        case Cosine(final=final):
            done = max(step - schedule.warmup, 0) / max(steps - schedule.warmup, 1)
            return warm * (final + (1 - final) * 0.5 * (1 + cos(pi * done)))
        case WarmupStableDecay(final=final):
            start = decay_start(schedule, steps)
            done = max(step + 1 - start, 0) / max(steps - start, 1)
            return warm * (1 - (1 - final) * done)


def decay_start(schedule: ScheduleConfig, steps: int) -> int:
    """Return the number of steps whose rates would be the same in a longer run.

    A run that is prolonged continues from here: later steps would have had another rate.
    """
    match schedule:
        case Constant():
            return steps
        case Cosine():
            return 0
        case WarmupStableDecay(decay=decay):
            return steps - ceil(decay * steps)
