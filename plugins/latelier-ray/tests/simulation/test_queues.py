"""Orders in which requests start, besides the engine's."""

from latelier_ray.simulation.queues import ArrivalQueue, WorkQueue
from latelier_ray.simulation.workload import Request, Shape


def fill(queue, *requests):
    for number, (client, calls) in enumerate(requests):
        queue.put(Request(number, client, Shape(calls), 0.0))
    return queue


def order(queue):
    return [queue.pop().number for _ in range(len(queue))]


def test_requests_start_in_the_order_of_their_arrival():
    assert order(fill(ArrivalQueue(), ("ann", 1), ("ann", 1), ("bob", 1))) == [0, 1, 2]


def test_who_got_the_least_work_is_next():
    """Ann's request of 4 calls counts as four of bob's."""
    queue = fill(WorkQueue(), ("ann", 4), ("ann", 4), *[("bob", 1)] * 5)
    assert order(queue) == [0, 2, 3, 4, 5, 1, 6]


def test_who_comes_back_has_saved_up_nothing():
    queue = fill(WorkQueue(), *[("ann", 1)] * 4)
    assert [queue.pop().number for _ in range(3)] == [0, 1, 2]
    fill(queue, ("bob", 1), ("bob", 1))
    assert queue.pop().client == "ann"
    assert queue.pop().client == "bob"


def test_requests_can_be_removed():
    for empty in (ArrivalQueue(), WorkQueue()):
        queue = fill(empty, ("ann", 1), ("bob", 1))
        queue.remove(next(iter(queue)))
        assert (len(queue), order(queue)) == (1, [1])
