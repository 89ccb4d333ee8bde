"""Where the simulation has code of its own, it does what the engine does."""

import threading
from inspect import signature

import pytest
from latelier.contracts.errors import QueueFullError
from latelier.engine import Engine
from latelier.engine.job import Job
from latelier.engine.pool import JobPool

from latelier_ray.simulation.clock import Clock
from latelier_ray.simulation.policy import Policy
from latelier_ray.simulation.replica import Replica
from latelier_ray.simulation.workload import Request, Shape

CLIENTS = ["ann", "ann", "ann", "bob", "ann", "eve", "bob", "eve", "ann"]
ACTIVE, QUEUE = 2, 5


def run_pool():
    """Return the numbers of the jobs that an engine's pool starts, in order, and of those refused.

    All jobs are submitted before the first one ends; then one ends after the other.
    """
    pool, started, refused = JobPool(ACTIVE, QUEUE), [], []
    gates = [threading.Event() for _ in CLIENTS]
    begun = [threading.Event() for _ in CLIENTS]

    def work(number):
        started.append(number)
        begun[number].set()
        assert gates[number].wait(20)
        return []

    pool.open()
    for number, client in enumerate(CLIENTS):
        job = Job(pool, client=client, priority=0, deadline=None)
        try:
            pool.add(job, lambda number=number: work(number))
        except QueueFullError:
            refused.append(number)
        if number < ACTIVE:
            assert begun[number].wait(20)
    ended = 0
    while ended < len(CLIENTS) - len(refused):
        gates[started[ended]].set()
        ended += 1
        following = ended + ACTIVE
        if following <= len(CLIENTS) - len(refused):
            while len(started) < following:
                threading.Event().wait(0.001)
    pool.join()
    return started, refused


def run_replica(make_costs):
    """Return the same of a simulated engine, whose jobs end in the order of their starts."""
    clock, ended = Clock(), []
    replica = Replica(clock, Policy(rows=2, active=ACTIVE, queue=QUEUE), make_costs(), ended.append)
    for number, client in enumerate(CLIENTS):
        replica.submit(Request(number, client, Shape(calls=1), 0.0))
    clock.run(lambda: len(ended) == len(CLIENTS))
    refused = [each.number for each in ended if each.is_refused]
    return [each.number for each in ended if not each.is_refused], refused


def test_the_same_jobs_start_and_are_refused(make_costs):
    started, refused = run_pool()
    assert refused == [7, 8]
    assert run_replica(make_costs) == (started, refused)


def test_the_limit_of_rows_is_that_of_a_warm_engine(make_costs):
    """4 rows are the fewest within 3 % of the best; twice the positions, half of the rows."""
    costs = make_costs({1: 1.0, 2: 1.0, 4: 1.0, 8: 1.98, 64: 16.0})
    limit = costs.limit_rows(32)
    assert limit.of(1, 1000) == 4
    assert limit.of(2, 1000) == 2


@pytest.mark.parametrize("name", ["rows", "active", "queue"])
def test_the_defaults_are_those_of_the_engine(name):
    assert getattr(Policy(), name) == signature(Engine).parameters[name].default
