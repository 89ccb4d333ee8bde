"""The batcher: what is taken together, in which order, and for whom the device waits."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from latelier.contracts.errors import EngineError
from latelier.engine.batcher import Batcher
from latelier.engine.rendezvous import MAX_TURN, Rendezvous
from latelier.engine.work import Work, alone

WAIT = 20


@pytest.fixture
def pool():
    with ThreadPoolExecutor(16) as pool:
        yield pool


@pytest.fixture
def rendezvous():
    """One that has all time to wait for a turn."""
    return Rendezvous(max_turn=60)


@pytest.fixture
def batcher(rendezvous, pool, monkeypatch):
    batcher, left = Batcher(rendezvous), []
    take, deliver = batcher.take, batcher.deliver

    def record(group):
        left.extend(group)
        return group

    def forget(group, outcomes):
        for each in group:
            left.remove(each)
        deliver(group, outcomes)

    monkeypatch.setattr(batcher, "take", lambda: record(take()))
    monkeypatch.setattr(batcher, "deliver", forget)
    yield batcher
    batcher.close("the test is over")
    deliver(left, [None] * len(left))


@pytest.fixture
def call(batcher, pool):
    """Let a run bring work in the background, and give it the time to arrive."""

    def call(run, rows=1, key="a"):
        work = Work(run, None, key, rows, most_rows=4)
        result = pool.submit(batcher.compute, work, run)
        time.sleep(0.02)
        return result

    return call


def runs(group):
    return [each.run for each in group]


def answer(batcher, group):
    batcher.deliver(group, [each.run for each in group])


def test_the_oldest_work_takes_that_of_its_key_along_up_to_the_limit(batcher, call):
    for run, rows, key in [(1, 2, "a"), (2, 1, "b"), (3, 2, "a"), (4, 1, "a"), (5, 1, "b")]:
        call(run, rows, key)
    assert runs(batcher.take()) == [1, 3]
    assert runs(batcher.take()) == [2, 5]
    assert runs(batcher.take()) == [4]


def test_work_with_more_rows_than_the_limit_goes_alone(batcher, call):
    call(1, rows=9)
    call(2)
    assert runs(batcher.take()) == [1]
    assert runs(batcher.take()) == [2]


def test_work_that_does_not_fit_lets_smaller_pass(batcher, call):
    for run, rows in [(1, 3), (2, 2), (3, 1)]:
        call(run, rows)
    assert runs(batcher.take()) == [1, 3]
    assert runs(batcher.take()) == [2]


def test_results_are_handed_out_one_by_one(batcher, call):
    """Each when the run before has brought its next work, or has left."""
    results = [call(run) for run in (1, 2, 3)]
    answer(batcher, batcher.take())
    assert results[0].result(timeout=WAIT) == 1
    time.sleep(0.02)
    assert not results[1].done()
    call(1)
    assert results[1].result(timeout=WAIT) == 2
    assert not results[2].done()
    batcher.leave(2)
    assert results[2].result(timeout=WAIT) == 3


def test_all_results_of_a_run_are_handed_out_at_once(batcher, call):
    """A run may call from several threads, and go on only when all have returned."""
    results = [call(1), call(1), call(2)]
    answer(batcher, batcher.take())
    assert [each.result(timeout=WAIT) for each in results[:2]] == [1, 1]
    assert not results[2].done()


def test_the_device_waits_for_the_last_turn(batcher, call, pool):
    for run in (1, 2):
        call(run)
    answer(batcher, batcher.take())
    call(3, rows=4)
    taken = pool.submit(batcher.take)
    call(1)
    assert not taken.done()
    call(2)
    assert runs(taken.result(timeout=WAIT)) == [3]
    assert runs(batcher.take()) == [1, 2]


def test_a_slow_run_delays_the_others_once(call, batcher, rendezvous):
    rendezvous.max_turn = MAX_TURN
    results = [call(run) for run in (1, 2, 3)]
    answer(batcher, batcher.take())
    call(4)
    start = time.perf_counter()
    assert runs(batcher.take()) == [4]
    assert time.perf_counter() - start < 1
    assert [each.result(timeout=WAIT) for each in results] == [1, 2, 3]
    call(1)  # late: it ends the turn of nobody
    answer(batcher, batcher.take())


def test_work_of_no_run_has_no_turn(batcher, call, pool):
    call(1)
    call(None, key="preview")
    answer(batcher, batcher.take())
    call(1)
    (preview,) = batcher.take()
    batcher.deliver([preview], ["decoded"])
    assert runs(batcher.take()) == [1]


def test_an_idle_device_waits_a_moment_for_other_new_runs(batcher, rendezvous, pool):
    rendezvous.arrival = 0.5
    taken = pool.submit(batcher.take)
    results = [pool.submit(batcher.compute, Work(run, None, "a", 1, 4), run) for run in (1, 2, 3)]
    assert sorted(runs(taken.result(timeout=WAIT))) == [1, 2, 3]
    assert not any(each.done() for each in results)


def test_an_error_is_raised_in_its_run(batcher, call):
    result = call(1)
    batcher.deliver(batcher.take(), [ZeroDivisionError("no")])
    with pytest.raises(ZeroDivisionError, match="no"):
        result.result(timeout=WAIT)


def test_work_that_is_done_alone_shares_with_nobody(batcher, pool):
    results = [pool.submit(batcher.compute, alone(lambda k=k: k)) for k in range(2)]
    time.sleep(0.02)
    for _ in results:
        (waiting,) = batcher.take()
        batcher.deliver([waiting], waiting.work.compute([None]))
    assert [each.result(timeout=WAIT) for each in results] == [0, 1]


def test_closing_fails_what_waits_and_what_comes(batcher, call):
    done = [call(1), call(2)]
    answer(batcher, batcher.take())
    waiting = call(3)
    batcher.close("the engine is closed")
    assert [each.result(timeout=WAIT) for each in done] == [1, 2]
    for result in (waiting, call(4)):
        with pytest.raises(EngineError, match="the engine is closed"):
            result.result(timeout=WAIT)
    assert batcher.is_closed
    assert batcher.take() == []
