"""Clients take turns; priorities go first; a full queue refuses."""

import pytest

from latelier.contracts.errors import QueueFullError
from latelier.engine import Engine
from latelier.engine.admission import AdmissionQueue
from latelier.engine.job import Job

WAIT = 20


def job(client, priority=0):
    return Job(None, client=client, priority=priority, deadline=None)


def order(queue):
    return [queue.pop() for _ in range(len(queue))]


def test_clients_take_turns_whatever_they_ask_for():
    queue = AdmissionQueue()
    ann, bob, eve = [job("ann") for _ in range(4)], [job("bob")], [job("eve") for _ in range(2)]
    for each in (*ann, *bob, *eve):
        queue.put(each)
    expected = [ann[0], *bob, eve[0], ann[1], eve[1], *ann[2:]]
    assert list(queue) == expected
    assert order(queue) == expected


def test_a_client_that_comes_later_waits_for_one_turn_at_most():
    queue = AdmissionQueue()
    ann = [job("ann") for _ in range(3)]
    for each in ann:
        queue.put(each)
    assert queue.pop() is ann[0]
    bob = job("bob")
    queue.put(bob)
    assert order(queue) == [ann[1], bob, ann[2]]


def test_a_higher_priority_is_first():
    queue = AdmissionQueue()
    low, normal, high = job("ann", -1), job("ann"), job("ann", 5)
    for each in (low, normal, high):
        queue.put(each)
    assert list(queue) == [high, normal, low]
    assert order(queue) == [high, normal, low]


def test_a_job_can_be_removed():
    queue = AdmissionQueue()
    ann, bob = job("ann"), job("bob")
    queue.put(ann)
    queue.put(bob)
    queue.remove(ann)
    assert len(queue) == 1
    assert order(queue) == [bob]
    assert len(queue) == 0


def test_jobs_start_in_the_order_of_the_queue(tamper, gate, compose_tiny):
    pipe, _ = tamper(gate)
    with Engine(pipe, active=1) as engine:
        request = {"prompt": "a cat", "steps": 1}
        running = engine.submit(**request)
        gate.wait()
        jobs = {
            "ann 1": engine.submit(**request, client="ann"),
            "ann 2": engine.submit(**request, client="ann"),
            "bob": engine.submit(**request, client="bob"),
            "urgent": engine.submit(**request, client="eve", priority=1),
        }
        assert {name: each.position for name, each in jobs.items()} == {
            "urgent": 0,
            "ann 1": 1,
            "bob": 2,
            "ann 2": 3,
        }
        gate.open()
        assert running.result()


def test_a_full_queue_refuses_and_takes_jobs_again(tamper, gate):
    pipe, _ = tamper(gate)
    request = {"prompt": "a cat", "steps": 1}
    with Engine(pipe, active=1, queue=2) as engine:
        jobs = [engine.submit(**request) for _ in range(3)]
        with pytest.raises(QueueFullError, match="2 jobs wait") as caught:
            engine.submit(**request)
        assert 0 < caught.value.retry_after < WAIT
        counts = engine.stats().jobs
        assert (counts.running, counts.queued, counts.refused, counts.submitted) == (1, 2, 1, 3)
        gate.open()
        for each in jobs:
            each.result()
        assert engine.submit(**request).result()
