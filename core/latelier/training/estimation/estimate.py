"""The estimate of a training's cost: parameters, arithmetic, memory and time."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from latelier.training.estimation.memory import measure_activations, size_of
from latelier.training.estimation.trial import Trial
from latelier.training.loop.batches import load_batches
from latelier.training.objective import Objective

_MAX_STEPS = 5
_MAX_SECONDS = 20.0


@dataclass(frozen=True)
class Estimate:
    """The cost of a training, of one process where there are several.

    Attributes:
        parameters: Number of parameters by part, and how many of them are trained.
        flops: Floating-point operations per sample, forward and backward.
        memory: Bytes by purpose.
        seconds: Seconds per step, the median of a few.
        batch_size: Samples per step of all processes.
        notes: What the objective says about itself.
    """

    parameters: dict[str, tuple[int, int]]
    flops: float
    memory: dict[str, int]
    seconds: float
    batch_size: int
    notes: Sequence[str]

    def lines(self) -> Iterator[str]:
        """Yield the estimate as lines of text."""
        for part, (count, trained) in self.parameters.items():
            yield f"parameters of {part}: {count:,} ({trained:,} trained)"
        yield f"arithmetic: {self.flops / 1e9:.3g} GFLOP per sample, forward and backward"
        parts = ", ".join(f"{name} {size / 2**20:,.1f}" for name, size in self.memory.items())
        total = sum(self.memory.values())
        yield f"memory: {total / 2**20:,.1f} MiB and what PyTorch itself takes ({parts})"
        yield (
            f"time: {1000 * self.seconds / 60:,.1f} minutes per 1,000 steps "
            f"({self.batch_size / self.seconds:,.1f} samples/s)"
        )
        yield from self.notes


def estimate(trial: Trial) -> Estimate:
    """Return what a training costs, from a few steps of it."""
    objective, state = trial.plan.objective, trial.state
    batches = load_batches(trial.plan, trial.run, 0)
    split = trial.run.split
    # counted before the first step, which leaves only the last player's parameters with gradients
    trained = [each for each in objective.parameters() if each.requires_grad]
    parameters = _count_parameters(objective)
    with (
        torch.compiler.set_stance("force_eager"),
        FlopCounterMode(display=False) as counter,
        measure_activations(objective) as activations,
    ):
        state.take_step(next(batches))
    checkpoint = state.checkpoint(None)
    memory = {
        "weights": size_of((*objective.parameters(), *objective.buffers())),
        "gradients": size_of(trained),
        "optimizer": size_of(checkpoint.optimizer.values()),
        "averages": size_of(checkpoint.ema.values()),
        "activations": activations.bytes // split.accumulate,
    }
    return Estimate(
        parameters=parameters,
        flops=counter.get_total_flops() / (split.batch_size // split.ranks),
        memory=memory,
        seconds=_measure_seconds(trial, batches),
        batch_size=split.batch_size,
        notes=objective.describe(),
    )


def _measure_seconds(trial: Trial, batches: Iterator[object]) -> float:
    """Return the median time of a few steps, with loading their data."""
    seconds: list[float] = []
    while len(seconds) < _MAX_STEPS and sum(seconds) < _MAX_SECONDS:
        start = time.perf_counter()
        batch = next(batches, None)
        if batch is None:
            break
        trial.state.take_step(batch)  # type: ignore[arg-type]
        if trial.run.fabric.device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[len(seconds) // 2] if seconds else float("nan")


def _count_parameters(objective: Objective) -> dict[str, tuple[int, int]]:
    """Return the number of parameters of each network, and of its trained ones."""
    counts: dict[str, tuple[int, int]] = {}
    for name, part in _parts(objective):
        parameters = list(part.parameters())
        if parameters:
            trained = [each.numel() for each in parameters if each.requires_grad]
            counts[name] = (sum(each.numel() for each in parameters), sum(trained))
    return counts


def _parts(objective: Objective) -> Iterator[tuple[str, nn.Module]]:
    """Yield the networks of an objective, those in a dictionary one by one."""
    for name, child in objective.named_children():
        if not isinstance(child, nn.ModuleDict):
            yield name, child
        elif child is not objective.trained:  # which only repeats the others
            yield from child.items()
