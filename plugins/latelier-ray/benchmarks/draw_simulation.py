"""Draws the figure of docs/scale.md.

    PYTHONPATH=. python plugins/latelier-ray/benchmarks/draw_simulation.py docs/images/serving.svg

On the left three ways to serve with one replica, at rising loads; on the right three ways to choose
one of up to 64 replicas.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.tradeoff.drawing import (
    label_ends,
    make_figure,
    set_title,
    use_plain_numbers,
    write_figure,
)

from latelier_ray.simulation.arrivals import arrive_independently
from latelier_ray.simulation.costs import Costs
from latelier_ray.simulation.policy import POLICIES, Policy
from latelier_ray.simulation.routing import ROUTES, Route
from latelier_ray.simulation.tables import Bench

LOADS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
REPLICAS = (1, 2, 4, 8, 16, 32, 64)
BUSY = 0.8
"""Load of the replicas on the right."""

COLORS = ("#1a97ad", "#d9792a", "#d64550")
COUNT, COUNT_OF_REPLICA = 2000, 300


def main(arguments: Sequence[str]) -> None:
    """Write the figure."""
    costs = Costs.of_device("cpu")
    figure, (left, right) = make_figure(2)
    draw_policies(left, costs)
    draw_routes(right, costs)
    write_figure(figure, Path(arguments[0]))


def draw_policies(axes: Any, costs: Costs) -> None:
    """Draw the share of requests that are served in time against the load."""
    set_title(axes, "served within 10 times the seconds alone; one replica, Poisson")
    ends = []
    for policy, color in zip(POLICIES, COLORS, strict=True):
        shares = [100 * measure_in_time(costs, policy, load) for load in LOADS]
        axes.plot(LOADS, shares, color=color, linewidth=2)
        ends.append((policy.name, LOADS[-1], shares[-1], color))
    axes.set_xlabel("load: work asked for, relative to calls of the best number of rows")
    axes.set_ylabel("% of the requests")
    axes.set_xlim(0, 1.42)
    label_ends(axes, ends, 1.06)


def measure_in_time(costs: Costs, policy: Policy, load: float) -> float:
    """Return the share of requests that a replica serves in time."""
    return Bench(costs, COUNT, load).serve(arrive_independently, policy).in_time


def draw_routes(axes: Any, costs: Costs) -> None:
    """Draw the latency that 99 % of the requests do not exceed against the replicas."""
    set_title(axes, f"p99 of the latency, seconds; load {BUSY:g}, Poisson")
    axes.set_xscale("log")
    axes.set_yscale("log")
    ends = []
    for (name, route), color in zip(ROUTES.items(), reversed(COLORS), strict=True):
        seconds = [measure_p99(costs, route, replicas) for replicas in REPLICAS]
        axes.plot(REPLICAS, seconds, color=color, linewidth=2)
        ends.append((name, REPLICAS[-1], seconds[-1], color))
    axes.set_xticks(REPLICAS, [f"{each}" for each in REPLICAS])
    axes.minorticks_off()
    axes.set_xlabel("replicas")
    axes.set_xlim(0.9, 300)
    use_plain_numbers(axes.yaxis)
    label_ends(axes, ends, 80)


def measure_p99(costs: Costs, route: Route, replicas: int) -> float:
    """Return the latency that 99 % of the requests do not exceed."""
    bench = Bench(costs, COUNT_OF_REPLICA, BUSY, replicas)
    return bench.serve(arrive_independently, route=route).percentile(0.99)


if __name__ == "__main__":
    main(sys.argv[1:])
