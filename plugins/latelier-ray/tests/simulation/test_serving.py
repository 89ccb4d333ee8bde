"""Simulations that can be checked by hand, by a formula, or by what must always hold."""

from dataclasses import replace
from random import Random
from statistics import fmean

import pytest

from latelier_ray.simulation.arrivals import arrive_in_bursts, arrive_independently
from latelier_ray.simulation.autoscaling import Autoscaling
from latelier_ray.simulation.costs import Costs
from latelier_ray.simulation.policy import CONTINUOUS, FIFO, POLICIES, WHOLE
from latelier_ray.simulation.routing import ROUTES
from latelier_ray.simulation.serving import serve
from latelier_ray.simulation.workload import MIXED, Client, Shape, Workload

CPU = Costs.of_device("cpu")


def at(*times):
    """Requests arrive at these times."""
    return lambda _rate, _randomness: iter(times)


def send(times, *shapes, name="ann"):
    return Workload((Client(name, 1, shapes),), 1.0, len(times), at(*times))


def ends(outcome):
    """Return the ends of all requests in the order of their arrival."""
    return [each.end for each in sorted(outcome.requests, key=lambda each: each.number)]


def mixed(load, count, arrivals=arrive_independently, replicas=1):
    unit = Workload(MIXED, 1.0, count, arrivals)
    return replace(unit, rate=load * replicas / (unit.mean_work * CPU.best))


@pytest.mark.parametrize("policy", POLICIES, ids=lambda each: each.name)
def test_one_request_takes_the_seconds_of_its_parts(make_costs, policy):
    costs = make_costs({1: 3.0}, encode={1: 0.5}, decode={1: 0.25}, begin=0.125, between=0.001)
    outcome = serve(send([7.0], Shape(calls=4)), costs, replace(policy, patience=0.0))
    rows_2 = 2 * 3.0  # above the curve it grows as the rows do
    expected = 0.125 + 0.5 + 4 * rows_2 + 0.25 + 6 * 0.001
    assert outcome.latencies == pytest.approx([expected])
    assert outcome.costs.seconds_alone(Shape(calls=4)) == pytest.approx(expected)
    assert outcome.cost == pytest.approx(7 + expected)  # a replica is paid while it waits
    assert outcome.in_time == outcome.fairness == 1


def test_an_idle_device_waits_for_other_new_runs(make_costs):
    patient = replace(CONTINUOUS, patience=0.25)
    outcome = serve(send([0.0, 0.2], Shape(calls=1)), make_costs(), patient)
    assert ends(outcome) == pytest.approx([1.45, 1.45])


def test_a_request_joins_those_that_run_at_their_next_call(make_costs):
    outcome = serve(send([0.0, 1.5], Shape(calls=4)), make_costs(), CONTINUOUS)
    assert ends(outcome) == pytest.approx([4.0, 6.0], abs=0.01)


def test_whole_requests_wait_for_the_batch_before(make_costs):
    outcome = serve(send([0.0, 1.5, 1.6], Shape(calls=4)), make_costs(), WHOLE)
    assert ends(outcome) == pytest.approx([4.0, 8.0, 8.0], abs=0.01)


def test_one_at_a_time_is_one_after_the_other(make_costs):
    outcome = serve(send([0.0, 0.1, 0.2], Shape(calls=4)), make_costs(), FIFO)
    assert ends(outcome) == pytest.approx([4.0, 8.0, 12.0], abs=0.01)


def test_two_sizes_never_share_a_call(make_costs):
    """Two equal requests take two calls, two of different sizes four."""
    same = serve(send([0.0, 0.0], Shape(calls=2)), make_costs())
    assert same.busy == pytest.approx(2)
    both = replace(
        send([0.0, 0.0], Shape(calls=2)),
        clients=(Client("a", 1, (Shape(2),)), Client("b", 1, (Shape(2, 1.5),))),
    )
    seed = next(k for k in range(99) if len({r.shape for r in both.make_requests(k)}) == 2)
    assert serve(both, make_costs(), seed=seed).busy == pytest.approx(4)


def test_calls_have_no_more_rows_than_pay(make_costs):
    """Beyond 4 rows a call is not faster a row, so four requests of 2 rows take two calls each."""
    costs = make_costs({1: 1.0, 4: 1.0, 64: 16.0})
    outcome = serve(send([0.0] * 4, Shape(calls=3)), costs)
    assert outcome.busy == pytest.approx(6)


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_the_mean_wait_of_one_server_is_that_of_the_formula(make_costs, load):
    """M/D/1 and M/M/1: Pollaczek-Khinchine within 8 %, of 20,000 requests."""
    same = serve(Workload((Client("a", 1, (Shape(1),)),), load, 20_000), make_costs(), FIFO)
    assert fmean(same.latencies) == pytest.approx(1 + load / (2 * (1 - load)), rel=0.08)

    geometric = [max(1, round(Random(k).expovariate(0.1))) for k in range(4000)]
    mean, square = fmean(geometric), fmean(each**2 for each in geometric)
    shapes = tuple(map(Shape, geometric))
    varied = serve(Workload((Client("a", 1, shapes),), load / mean, 20_000), make_costs(), FIFO)
    expected = mean + load / mean * square / (2 * (1 - load))
    assert fmean(varied.latencies) == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda each: each.name)
@pytest.mark.parametrize("arrivals", [arrive_independently, arrive_in_bursts])
def test_every_request_ends_exactly_once(policy, arrivals):
    """Served or refused, also where more is asked for than the devices can do."""
    policy = replace(policy, queue=20)
    outcome = serve(mixed(4.0, 400, arrivals, replicas=2), CPU, policy, replicas=2)
    assert sorted(each.number for each in outcome.requests) == list(range(400))
    assert 0 < outcome.refused < 1
    for each in outcome.requests:
        assert (each.end is None) == each.is_refused
        if each.end is not None:
            assert each.latency >= CPU.seconds_alone(each.shape) * (1 - 1e-9)


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_the_same_seed_gives_the_same_numbers(route):
    def figures(seed):
        workload = mixed(0.8, 200, arrive_in_bursts, replicas=3)
        outcome = serve(workload, CPU, replicas=3, route=route, seed=seed)
        return outcome.latencies, outcome.paid, outcome.busy, outcome.slowdowns

    assert figures(5) == figures(5)
    assert figures(5) != figures(6)


def test_routes_that_look_are_better_than_chance():
    def p99(route):
        return serve(mixed(0.8, 2000, replicas=8), CPU, replicas=8, route=route).percentile(0.99)

    assert p99(ROUTES["least rows"]) < p99(ROUTES["random"])
    assert p99(ROUTES["two choices"]) < p99(ROUTES["random"])


def test_replicas_are_paid_from_their_start_to_their_last_request(make_costs):
    """Four requests of 2 rows need two replicas of 4."""
    rules = Autoscaling(target=4, most=8, interval=1.0, start=5.0, up=0.0, down=3.0)
    workload = send([0.5] * 4, Shape(calls=10))
    outcome = serve(workload, make_costs(), autoscaling=rules)
    assert outcome.refused == 0
    # the first serves all of them until 10.5; the second is started at 1
    assert outcome.paid == pytest.approx(10.5 + 9.5, abs=0.01)


def test_a_replica_that_is_not_needed_is_stopped(make_costs):
    rules = Autoscaling(target=4, most=8, interval=1.0, start=1.0, up=2.0, down=3.0)
    workload = send([0.5] * 4 + [100.0], Shape(calls=3))
    outcome = serve(workload, make_costs(), autoscaling=rules)
    # one more is needed from 1 to 4; it starts at 2, one is stopped at 6, and the other ends at 103
    assert outcome.paid == pytest.approx(103 + 4, abs=0.01)
