"""The learning rate of the training of the scene detector."""

import math


def lr_factor(step: int, steps: int, warmup: int) -> float:
    """Return the learning rate in units of its peak: linear warm-up, then a cosine down to 0.

    Args:
        step: from 0.
        steps: of the run.
        warmup: steps of the warm-up.
    """
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * done))
