"""The estimate of a training's cost: parameters, arithmetic, memory and time."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from latelier.nn.flops import count_flops
from latelier.training.devices.ranks import is_true_anywhere
from latelier.training.estimation.memory import measure_activations, size_of
from latelier.training.estimation.phases import Phase, split_phases
from latelier.training.estimation.trial import Trial
from latelier.training.loop.batches import load_batches
from latelier.training.objective import Objective

_COUNTED_STEPS, _TIMED_STEPS = 4, 8
"""Steps of a phase, whose mean counts: not all have all terms of the loss."""

_MAX_SECONDS = 15.0
"""After this time no further step is counted or timed."""

V100_FLOPS = 14e12
"""Operations per second of the V100 in V100-days.

The median rate of the trainings of Table 18 of Rombach et al. 2022, by the arithmetic of their
samples, all of which they encoded; the rates are 9 to 25e12, and the peak in float32 is 15.7e12.
"""

_DAY = 86_400


@dataclass(frozen=True)
class PhaseCost:
    """The cost of a phase of a training.

    Attributes:
        phase: Its steps.
        flops: Floating-point operations per sample, forward and backward; a mean over steps.
        activations: Bytes of what forward passes keep for their backward passes, at most.
        seconds: Seconds per step with loading its data; a mean over steps.
    """

    phase: Phase
    flops: float
    activations: int
    seconds: float

    def format(self, batch_size: int) -> str:
        """Return the cost as a line of text."""
        begins = f", from {' and '.join(self.phase.begins)}" if self.phase.start else ""
        return (
            f"steps {self.phase.start:,} to {self.phase.end - 1:,}{begins}: "
            f"{1000 * self.seconds / 60:,.1f} minutes per 1,000 steps "
            f"({batch_size / self.seconds:,.1f} samples/s), {self.flops / 1e9:.3g} GFLOP per sample"
        )


@dataclass(frozen=True)
class Estimate:
    """The cost of a training, of one process where there are several.

    Attributes:
        parameters: Number of parameters by part, and how many of them are trained.
        phases: The cost of each phase, in the order of the training.
        memory: Bytes by purpose, in the phase with the most activations.
        batch_size: Samples per step of all processes.
        notes: What the plan says about the training.
    """

    parameters: dict[str, tuple[int, int]]
    phases: Sequence[PhaseCost]
    memory: dict[str, int]
    batch_size: int
    notes: Sequence[str]

    @property
    def seconds(self) -> float:
        """The seconds of all steps."""
        return sum(each.seconds * each.phase.steps for each in self.phases)

    @property
    def flops(self) -> float:
        """Floating-point operations of all steps."""
        return sum(each.flops * each.phase.steps for each in self.phases) * self.batch_size

    @property
    def v100_days(self) -> float:
        """Days that a V100 needs for all steps, as Table 18 of the paper states costs."""
        return self.flops / V100_FLOPS / _DAY

    def lines(self) -> Iterator[str]:
        """Yield the estimate as lines of text."""
        for part, (count, trained) in self.parameters.items():
            yield f"parameters of {part}: {count:,} ({trained:,} trained)"
        parts = ", ".join(f"{name} {size / 2**20:,.1f}" for name, size in self.memory.items())
        total = sum(self.memory.values())
        yield f"memory: {total / 2**20:,.1f} MiB and what PyTorch itself takes ({parts})"
        for each in self.phases:
            yield each.format(self.batch_size)
        yield (
            f"arithmetic: {self.flops:.3g} FLOP, {self.v100_days:.3g} V100-days at "
            f"{V100_FLOPS / 1e12:g} TFLOP/s"
        )
        steps = self.phases[-1].phase.end
        yield f"time: {self.seconds / 60:,.1f} minutes for {steps:,} steps, without validation"
        yield from self.notes


def estimate(trial: Trial) -> Estimate:
    """Return what a training costs, from a few steps of each phase."""
    objective, config = trial.plan.objective, trial.plan.config
    # counted before the first step, which leaves only the last player's parameters with gradients
    trained = [each for each in objective.parameters() if each.requires_grad]
    parameters = _count_parameters(objective)
    batches = _repeat_batches(trial)
    phases = [_measure_phase(trial, phase, batches) for phase in split_phases(config)]
    checkpoint = trial.state.checkpoint(None)
    memory = {
        "weights": size_of((*objective.parameters(), *objective.buffers())),
        "gradients": size_of(trained),
        "optimizer": size_of(checkpoint.optimizer.values()),
        "averages": size_of(checkpoint.ema.values()),
        "activations": max(each.activations for each in phases),
    }
    return Estimate(parameters, phases, memory, config.batch_size, trial.plan.notes)


def _repeat_batches(trial: Trial) -> Iterator[Sequence[Any]]:
    """Yield the micro-batches of the training's steps, again and again."""
    while True:
        yield from load_batches(trial.plan, trial.run, 0)


def _measure_phase(trial: Trial, phase: Phase, batches: Iterator[Sequence[Any]]) -> PhaseCost:
    """Return the cost of a phase, from its first steps."""
    fabric, split = trial.run.fabric, trial.run.split

    def take_step(number: int) -> None:
        trial.take_step(phase.start + number % phase.steps, next(batches))
        if fabric.device.type == "cuda":
            torch.cuda.synchronize()

    take_step(0)  # what is done once, such as drawing codes or compiling, is not measured
    activations = []
    with torch.compiler.set_stance("force_eager"), count_flops() as counter:
        for number in _limit_steps(fabric, _COUNTED_STEPS):
            with measure_activations(trial.plan.objective) as saved:
                take_step(number)
            activations.append(saved.peak)
    samples = len(activations) * split.batch_size // split.ranks
    start, timed = time.perf_counter(), 0
    for number in _limit_steps(fabric, _TIMED_STEPS):
        take_step(number)
        timed += 1
    return PhaseCost(
        phase,
        flops=counter.get_total_flops() / samples,
        activations=max(activations),
        seconds=(time.perf_counter() - start) / timed,
    )


def _limit_steps(fabric: Fabric, count: int) -> Iterator[int]:
    """Yield the numbers of `count` steps, or fewer if they take long; the same in all processes."""
    end = time.perf_counter() + _MAX_SECONDS
    yield 0
    for number in range(1, count):
        if not is_true_anywhere(fabric, time.perf_counter() < end):
            return
        yield number


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
            yield from ((f"{name}.{key}", part) for key, part in child.items())
