"""The search for the largest micro-batch that fits into memory."""

import gc

import torch

from latelier.nn.memory import free_memory
from latelier.training.estimation.memory import measure_activations
from latelier.training.estimation.phases import split_phases
from latelier.training.estimation.trial import Trial
from latelier.training.loop.split import BatchSplit

_LARGEST = 4096
_USABLE = 0.8
"""Share of the free memory of a CPU that a training may fill; the rest is for temporary tensors."""


def find_micro_batch(trial: Trial) -> int:
    """Return the largest power of two that fits as a micro-batch; 0 if not even one sample fits.

    It fits in each phase of the training. A GPU tries doubled sizes until its memory is full. A
    CPU, whose system would rather kill the process, has its free memory divided by what two samples
    need.
    """
    find = _try_sizes if trial.run.fabric.device.type == "cuda" else _divide_memory
    return min(find(trial, phase.start) for phase in split_phases(trial.plan.config))


def describe_micro_batch(largest: int, split: BatchSplit) -> str:
    """Return what to set for the global batch of a configuration."""
    if largest == 0:
        return "not even one sample fits into memory: choose a smaller network or smaller pictures"
    rows = split.batch_size // split.ranks
    fitting = (n for n in range(1, rows + 1) if rows % n == 0 and rows // n <= largest)
    accumulate = next(fitting)
    return (
        f"largest micro-batch: {largest} samples of each process; for batch_size "
        f"{split.batch_size} set accumulate to {accumulate}"
    )


def _divide_memory(trial: Trial, step: int) -> int:
    trial.take_step(step, [trial.collate(1)])  # the optimizer's state is not what samples need
    with measure_activations(trial.plan.objective) as saved:
        trial.take_step(step, [trial.collate(2)])
    largest = int(_USABLE * free_memory(trial.run.fabric.device) / max(saved.peak / 2, 1))
    return 2 ** (min(largest, _LARGEST).bit_length() - 1) if largest else 0


def _try_sizes(trial: Trial, step: int) -> int:
    best, size = 0, 1
    while size <= _LARGEST and _fits(trial, step, size):
        best, size = size, 2 * size
    return best


def _fits(trial: Trial, step: int, size: int) -> bool:
    try:
        trial.take_step(step, [trial.collate(size)])
    except torch.OutOfMemoryError:
        return False
    finally:
        gc.collect()
        torch.cuda.empty_cache()
    return True
