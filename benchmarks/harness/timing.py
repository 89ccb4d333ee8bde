"""Seconds of a call, and rounds in which variants take turns."""

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor

from benchmarks.harness.case import Sample, Variant

T = TypeVar("T")


def timed(
    work: Callable[[], T], calls: int = 1, output: Callable[[T], Tensor] | None = None
) -> Variant:
    """Return the variant whose samples are the seconds of a call.

    Args:
        work: what is measured.
        calls: of `work` in a sample, so that short ones can be read off the clock.
        output: makes what is compared of a result; it is not measured.
    """

    def take() -> Sample:
        synchronize()
        start = time.perf_counter()
        result = work()
        for _ in range(calls - 1):
            result = work()
        synchronize()
        seconds = (time.perf_counter() - start) / calls
        return Sample(seconds, output(result) if output else None)

    return Variant(take)


def synchronize() -> None:
    """Wait until a GPU has done all that it was given, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def take_turns(
    variants: Mapping[str, Variant], rounds: int, warmups: int
) -> tuple[dict[str, list[float]], dict[str, Tensor]]:
    """Return the value of each variant in each round, and its output in the first round.

    All variants are measured in every round, so that what else happens on the machine falls on all
    of them alike. Every other round goes backwards: each has the same neighbours in turn.
    """
    samples: dict[str, list[float]] = {name: [] for name in variants}
    outputs: dict[str, Tensor] = {}
    for number in range(warmups + rounds):
        names = list(variants)
        for name in names if number % 2 == 0 else reversed(names):
            sample = variants[name].take()
            if number >= warmups:
                samples[name].append(sample.value)
            if number == 0 and sample.output is not None:
                outputs[name] = sample.output
    return samples, outputs
