"""The throughput of sampling by steps and batch size, and its arithmetic."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Any

from latelier.nn.flops import count_flops
from latelier.pipeline import Pipeline

REPEATS = 5
"""Batches that are timed; one more is made before them, which is not."""


@dataclass(frozen=True)
class SamplingCost:
    """The cost of pictures at a number of steps and a batch size.

    Attributes:
        steps: of the sampler.
        batch_size: pictures that are made at once.
        throughput: pictures per second, the median of the timed batches, with decoding.
        slowest: pictures per second of the slowest timed batch.
        fastest: pictures per second of the fastest timed batch.
        flops: floating-point operations per picture, the same on every device.
    """

    steps: int
    batch_size: int
    throughput: float
    slowest: float
    fastest: float
    flops: int


def measure_sampling(
    pipeline: Pipeline,
    inputs: Mapping[str, Any],
    steps: Sequence[int],
    batch_sizes: Sequence[int],
    report: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[SamplingCost]:
    """Yield the cost of each number of steps at each batch size.

    Args:
        pipeline: the model.
        inputs: keywords of `Pipeline.generate`, one row each.
        steps: of the sampler.
        batch_sizes: pictures that are made at once.
        report: receives a line before each measurement.
        clock: the time in seconds.

    Raises:
        InvalidInputError: the model does not take the inputs.
        NotEnoughMemoryError: a batch does not fit.
    """
    for count, size in product(steps, batch_sizes):
        report(f"{count} steps, batch {size}")

        def sample(count: int = count, size: int = size) -> None:
            pipeline.generate(**inputs, steps=count, n=size, batch_size=size, seed=0)

        with count_flops() as counter:
            sample()
        rates = [size / _time(sample, clock) for _ in range(REPEATS)]
        yield SamplingCost(
            count, size, median(rates), min(rates), max(rates), counter.get_total_flops() // size
        )


def _time(sample: Callable[[], None], clock: Callable[[], float]) -> float:
    """Return the seconds that a batch takes. Its pictures are on the CPU at the end."""
    start = clock()
    sample()
    return clock() - start
