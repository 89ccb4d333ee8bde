"""`Engine.warm` measures how many rows pay, and the engine keeps to them."""

import time

import pytest
import torch

from latelier.contracts.condition import Condition
from latelier.diffusion.calls import DenoiserCall
from latelier.engine import Engine
from latelier.engine.row_limit import fewest_rows
from latelier.engine.warming import doublings, measure_rows

REQUESTS = [{"prompt": "a cat", "seed": seed, "steps": 4, "guidance": 1.0} for seed in range(4)]


def test_the_numbers_of_rows_double_up_to_the_most():
    assert doublings(1) == [1]
    assert doublings(16) == [1, 2, 4, 8, 16]
    assert doublings(12) == [1, 2, 4, 8, 12]


def measure(seconds):
    """Return the curve of a denoiser that takes `seconds[rows]`."""

    def make(rows):
        return DenoiserCall(torch.zeros(rows, 1, 2, 2), torch.zeros(rows), Condition())

    return measure_rows(lambda x, *_: time.sleep(seconds[len(x)]), make, seconds)


def test_where_rows_cost_the_same_one_is_best():
    curve = measure({rows: 0.02 * rows for rows in (1, 2, 4)})
    assert fewest_rows(curve) == 1


def test_where_a_call_costs_the_same_many_are_best():
    curve = measure(dict.fromkeys([1, 2, 4, 8], 0.01))
    assert list(curve) == [1, 2, 4, 8]
    assert fewest_rows(curve) == 8


def test_the_measurement_ends_when_rows_become_slower():
    assert list(measure({1: 0.01, 2: 0.01, 4: 0.04, 8: 0.1, 16: 10})) == [1, 2, 4, 8]


def test_memory_ends_the_measurement(tamper):
    def before(x):
        if len(x) > 4:
            raise MemoryError
        time.sleep(0.01)

    pipe, _ = tamper(before)
    with Engine(pipe) as engine:
        curve = engine.warm()
        for job in [engine.submit(**request) for request in REQUESTS]:
            job.result()
        stats = engine.stats()
    assert list(curve) == [1, 2, 4]
    assert stats.curve == curve
    assert stats.most_rows == 4
    assert stats.calls.rows == 4 * 4


def test_a_device_too_small_for_one_row_is_an_error(tamper):
    def before(_x):
        raise MemoryError

    pipe, _ = tamper(before)
    with Engine(pipe) as engine, pytest.raises(MemoryError):
        engine.warm()


def test_an_exact_engine_keeps_its_rows(tamper):
    pipe, denoiser = tamper()
    with Engine(pipe, rows=4, exact=True) as engine:
        assert list(engine.warm()) == [4]
        assert engine.stats().most_rows == 4
    assert set(denoiser.rows) == {4}
