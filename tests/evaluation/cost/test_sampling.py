"""The throughput of sampling."""

from itertools import count

import pytest
import torch

from latelier.evaluation.cost.sampling import REPEATS, measure_sampling


class Stub:
    """Multiplies matrices as often as it takes steps."""

    def __init__(self):
        self.calls = []

    def generate(self, **keywords):
        self.calls.append(keywords)
        for _ in range(keywords["steps"] * keywords["n"]):
            torch.ones(2, 3) @ torch.ones(3, 5)


@pytest.fixture
def clock():
    """A clock by which the k-th call takes k seconds, from 1."""
    times, total = [], 0
    for seconds in range(1, 100):
        times += [total, total + seconds]
        total += seconds
    return iter(times).__next__


def test_each_number_of_steps_is_measured_at_each_batch_size(clock):
    pipeline = Stub()
    found = list(measure_sampling(pipeline, {"prompt": ["a cat"]}, [2, 4], [1, 3], clock=clock))
    assert [(each.steps, each.batch_size) for each in found] == [(2, 1), (2, 3), (4, 1), (4, 3)]
    assert len(pipeline.calls) == 4 * (1 + REPEATS)
    last = {"prompt": ["a cat"], "steps": 4, "n": 3, "batch_size": 3, "seed": 0}
    assert pipeline.calls[-1] == last


def test_the_throughput_is_the_median_with_its_range_and_the_arithmetic_that_of_a_picture(clock):
    first, second = measure_sampling(Stub(), {}, [2], [1, 6], clock=clock)
    assert (first.slowest, first.throughput, first.fastest) == (1 / 5, 1 / 3, 1 / 1)
    assert (second.slowest, second.throughput, second.fastest) == (6 / 10, 6 / 8, 6 / 6)
    assert first.flops == second.flops == 2 * (2 * 2 * 3 * 5)


def test_each_measurement_is_reported_before_it_is_made():
    lines, clock = [], count().__next__
    next(measure_sampling(Stub(), {}, [2, 4], [1], lines.append, clock))
    assert lines == ["2 steps, batch 1"]
