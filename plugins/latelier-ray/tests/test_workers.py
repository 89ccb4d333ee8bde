"""The pool of workers, with actors that run in this process and die when a test says so."""

from collections import Counter

import pytest
import ray
from latelier.contracts.errors import DataError
from ray.exceptions import ActorDiedError

from latelier_ray.errors import ClusterError
from latelier_ray.workers import WorkerPool, WorkerSize


class Doubling:
    """Doubles numbers. `deaths` says how often its process dies at a number."""

    def __init__(self, cluster, deaths=(), seen=None):
        self.cluster, self.deaths, self.seen = cluster, dict(deaths), seen

    def compute(self, number):
        self.seen[number] += 1
        if self.seen[number] <= self.deaths.get(number, 0):
            raise ActorDiedError
        if number < 0:
            raise DataError("below zero")
        return 2 * number


def compute(cluster, numbers, count=2, ahead=1, deaths=()):
    seen = Counter()
    pool = WorkerPool(WorkerSize(count, 1, 0), Doubling, cluster, deaths, seen, ahead=ahead)
    return sorted(pool.compute(iter(numbers))), seen


def test_every_task_is_computed_once_and_actors_end(cluster):
    results, seen = compute(cluster, range(20), ahead=2)
    assert results == list(range(0, 40, 2))
    assert set(seen.values()) == {1}
    assert len(cluster.actors) == 2
    assert all(each.is_dead for each in cluster.actors)
    assert cluster.most_at_once == 4


def test_no_tasks_are_no_results(cluster):
    assert compute(cluster, ())[0] == []


def test_a_worker_that_dies_is_replaced_and_its_tasks_are_computed_again(cluster):
    results, seen = compute(cluster, range(20), ahead=2, deaths={3: 1, 7: 2})
    assert results == list(range(0, 40, 2))
    assert (seen[3], seen[7]) == (2, 3)
    assert len(cluster.actors) == 2 + 3


def test_a_task_at_which_every_worker_dies_is_an_error(cluster):
    with pytest.raises(ClusterError, match=r"workers die again and again: .* goes on with what"):
        compute(cluster, range(20), deaths={3: 99})
    assert all(each.is_dead for each in cluster.actors)


def test_an_error_of_a_task_is_that_of_the_pool(cluster):
    with pytest.raises(DataError, match="below zero"):
        compute(cluster, [1, -1, 2])
    assert all(each.is_dead for each in cluster.actors)


def test_an_error_of_the_start_is_that_of_the_pool(cluster):
    def fail():
        raise DataError("no model")

    with pytest.raises(DataError, match="no model"):
        list(WorkerPool(WorkerSize(2, 1, 0), fail).compute(iter([1])))


def test_workers_that_die_while_they_start_are_an_error(cluster):
    def die():
        raise ActorDiedError

    with pytest.raises(ClusterError, match="workers die again and again"):
        list(WorkerPool(WorkerSize(2, 1, 0), die).compute(iter([1])))


def test_workers_that_never_start_are_an_error(cluster, monkeypatch):
    monkeypatch.setattr(ray, "wait", lambda references, **_: ([], references))
    with pytest.raises(ClusterError, match="no worker has started within 600 s"):
        compute(cluster, [1])
