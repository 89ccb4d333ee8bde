"""The tables show what the defaults of the engine rest on."""

from dataclasses import replace

import pytest

from latelier_ray.simulation.arrivals import arrive_independently
from latelier_ray.simulation.command import simulate
from latelier_ray.simulation.costs import Costs
from latelier_ray.simulation.policy import CONTINUOUS, FIFO, POLICIES, WHOLE
from latelier_ray.simulation.queues import ArrivalQueue
from latelier_ray.simulation.tables import FLOOD, HEADS, Bench
from latelier_ray.simulation.workload import FLOODED

CPU = Costs.of_device("cpu")
FLOODED_BENCH = Bench(CPU, 800, FLOOD, clients=FLOODED)


def test_the_engine_serves_more_in_time_than_other_ways():
    bench = Bench(CPU, 200)
    capacity = {each: bench.find_capacity(arrive_independently, each) for each in POLICIES}
    assert capacity[CONTINUOUS] > 1.3 * capacity[WHOLE]
    assert capacity[WHOLE] >= capacity[FIFO] > 0


def test_more_active_requests_are_slower_for_those_beside_a_flood_and_no_cheaper():
    def serve(active):
        return FLOODED_BENCH.serve(arrive_independently, replace(CONTINUOUS, active=active))

    default, twice = serve(CONTINUOUS.active), serve(2 * CONTINUOUS.active)
    assert default.slowdowns["client 1"] < 0.7 * twice.slowdowns["client 1"]
    assert default.cost < 1.05 * twice.cost


def test_turns_of_clients_keep_a_flood_from_the_others():
    def slowdown(**changes):
        outcome = FLOODED_BENCH.serve(arrive_independently, replace(CONTINUOUS, **changes))
        return outcome.slowdowns["client 1"]

    assert slowdown() < slowdown(make_queue=ArrivalQueue) / 4


def test_a_table_has_a_line_for_each_value_and_pattern():
    heads, *lines = Bench(CPU, 10).vary("rows", (8, 16)).cells()
    assert heads == ("rows", "arrivals", *HEADS)
    assert [line[:2] for line in lines] == [
        ("8", "Poisson"),
        ("16", "Poisson"),
        ("8", "bursts"),
        ("16", "bursts"),
    ]
    assert {len(line) for line in lines} == {len(heads)}


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_the_command_prints_the_same_table_for_the_same_seed(device, capsys):
    simulate(device=device, count=20, seed=3)
    first = capsys.readouterr().out
    simulate(device=device, count=20, seed=3)
    assert capsys.readouterr().out == first
    assert first.count("\n") == 2 + 6 + 1
    for policy in POLICIES:
        assert first.count(policy.name) == 2
