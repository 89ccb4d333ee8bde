"""The batcher: what is taken together, in which order, and for whom a group waits."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from latelier.contracts.condition import Condition
from latelier.contracts.errors import EngineError
from latelier.diffusion.calls import DenoiserCall
from latelier.engine.batcher import Batcher
from latelier.engine.row_limit import RowLimit

WAIT = 20


@pytest.fixture
def pool():
    with ThreadPoolExecutor(16) as pool:
        yield pool


@pytest.fixture
def batcher(pool, monkeypatch):
    """A batcher that groups calls by their height, at most 4 rows, and has all time to wait."""
    monkeypatch.setattr("latelier.engine.batcher.MAX_PATIENCE", 60)
    batcher = Batcher(RowLimit(4), lambda call: call.x.shape[2])
    taken, take = [], batcher.take
    monkeypatch.setattr(batcher, "take", lambda: taken.append(take()) or taken[-1])
    yield batcher
    batcher.close("the test is over")
    for waiting in (each for group in taken for each in group):
        if not waiting.result.done():
            waiting.result.set_result(None)


@pytest.fixture
def call(batcher, pool):
    """Let a run call in the background, and give it the time to arrive."""

    def call(run, rows=1, height=8):
        x = torch.zeros(rows, 1, height, 8)
        result = pool.submit(batcher.call, run, DenoiserCall(x, torch.zeros(rows), Condition()))
        time.sleep(0.02)
        return result

    return call


def runs(group):
    return [each.run for each in group]


def answer(batcher, group, seconds=240.0):
    batcher.expect(group, seconds)
    for each in group:
        each.result.set_result(each.run)


def test_the_oldest_call_takes_those_of_its_key_along_up_to_the_limit(batcher, call):
    for run, rows, height in [(1, 2, 8), (2, 1, 16), (3, 2, 8), (4, 1, 8), (5, 1, 16)]:
        call(run, rows, height)
    assert runs(batcher.take()) == [1, 3]
    assert runs(batcher.take()) == [2, 5]
    assert runs(batcher.take()) == [4]


def test_a_call_with_more_rows_than_the_limit_goes_alone(batcher, call):
    call(1, rows=9)
    call(2)
    assert runs(batcher.take()) == [1]
    assert runs(batcher.take()) == [2]


def test_a_call_that_does_not_fit_lets_smaller_ones_pass(batcher, call):
    for run, rows in [(1, 3), (2, 2), (3, 1)]:
        call(run, rows)
    assert runs(batcher.take()) == [1, 3]
    assert runs(batcher.take()) == [2]


def test_results_reach_their_runs(batcher, call):
    results = [call(run) for run in range(3)]
    answer(batcher, batcher.take())
    assert [each.result(timeout=WAIT) for each in results] == [0, 1, 2]


def test_a_group_waits_for_the_runs_that_were_just_answered(batcher, call, pool):
    call(1)
    call(2)
    answer(batcher, batcher.take())
    call(3)
    taken = pool.submit(batcher.take)
    call(2)
    assert not taken.done()
    call(1)
    assert runs(taken.result(timeout=WAIT)) == [3, 2, 1]


def test_a_full_group_waits_for_nobody(batcher, call):
    call(1)
    answer(batcher, batcher.take())
    call(2, rows=4)
    assert runs(batcher.take()) == [2]


def test_a_group_does_not_wait_for_a_run_that_left(batcher, call, pool):
    call(1)
    answer(batcher, batcher.take())
    call(2)
    taken = pool.submit(batcher.take)
    time.sleep(0.02)
    assert not taken.done()
    batcher.leave(1)
    assert runs(taken.result(timeout=WAIT)) == [2]


def test_a_run_that_never_calls_again_delays_a_group_by_a_share_of_a_call(batcher, call):
    call(1)
    answer(batcher, batcher.take(), seconds=0.04)
    call(2)
    start = time.perf_counter()
    assert runs(batcher.take()) == [2]
    assert time.perf_counter() - start < 1


def test_a_task_is_done_in_its_turn_and_waits_for_nobody(batcher, call, pool):
    call(1)
    answer(batcher, batcher.take())
    result = pool.submit(batcher.perform, lambda: "decoded")
    time.sleep(0.02)
    call(2)
    (task,) = batcher.take()
    task.result.set_result(task.work())
    assert result.result(timeout=WAIT) == "decoded"


def test_closing_fails_what_waits_and_what_comes_but_tasks_are_done_by_their_caller(batcher, call):
    waiting = call(1)
    batcher.close("the engine is closed")
    with pytest.raises(EngineError, match="the engine is closed"):
        waiting.result(timeout=WAIT)
    with pytest.raises(EngineError, match="the engine is closed"):
        call(2).result(timeout=WAIT)
    assert batcher.perform(lambda: "decoded") == "decoded"
    assert batcher.take() == []
