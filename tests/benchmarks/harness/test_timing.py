"""Variants take turns, and samples are seconds of a call."""

import time

import pytest
import torch

from benchmarks.harness.case import Sample, Variant
from benchmarks.harness.timing import take_turns, timed


def test_variants_take_turns_and_every_other_round_goes_backwards():
    calls = []

    def variant(name):
        return Variant(lambda: Sample(float(calls.append(name) or len(calls))))

    samples, _ = take_turns({name: variant(name) for name in "abc"}, rounds=2, warmups=1)

    assert "".join(calls) == "abccbaabc"
    assert samples == {"a": [6, 7], "b": [5, 8], "c": [4, 9]}


def test_outputs_are_those_of_the_first_round():
    numbers = iter(range(10))
    counting = Variant(lambda: Sample(0.0, torch.tensor(next(numbers))))

    _, outputs = take_turns({"a": counting}, rounds=2, warmups=1)

    assert outputs["a"] == 0


def test_a_sample_is_the_mean_of_its_calls_and_leaves_out_the_output():
    calls = []

    def work():
        calls.append(None)
        time.sleep(0.01)
        return len(calls)

    sample = timed(work, calls=3, output=lambda last: time.sleep(0.1) or torch.tensor(last)).take()

    assert len(calls) == 3
    assert sample.output == 3
    assert sample.value == pytest.approx(0.01, abs=0.02)
