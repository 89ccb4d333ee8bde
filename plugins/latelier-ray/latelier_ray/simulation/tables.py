"""The tables by which the defaults of the engine and of its replicas were chosen."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from latelier.engine.admission import AdmissionQueue

from latelier_ray.simulation.arrivals import Arrivals, arrive_in_bursts, arrive_independently
from latelier_ray.simulation.autoscaling import Autoscaling
from latelier_ray.simulation.costs import Costs
from latelier_ray.simulation.outcome import Outcome
from latelier_ray.simulation.policy import CONTINUOUS, POLICIES, Policy
from latelier_ray.simulation.queues import ArrivalQueue, Queue, WorkQueue
from latelier_ray.simulation.routing import ROUTES
from latelier_ray.simulation.serving import serve
from latelier_ray.simulation.workload import FLOODED, MIXED, Client, Workload

PATTERNS: Mapping[str, Arrivals] = {"Poisson": arrive_independently, "bursts": arrive_in_bursts}

ROWS = (1, 2, 4, 8, 16, 32, 64)
ACTIVE = (4, 8, 16, 32, 64, 128)
PATIENCE = (0.0, 0.002, 0.01, 0.05)
QUEUES: Mapping[str, Callable[[], Queue]] = {
    "arrival": ArrivalQueue,
    "turns of clients": AdmissionQueue,
    "least work": WorkQueue,
}
FLEET = 8
"""Replicas behind one door."""

TARGETS = (8, 16, 32, 64, 128)

FLOOD = 1.25
"""Load of a replica with a client who floods it: the others ask for a quarter of it."""

ENOUGH = 0.95
"""Share of the requests that a replica serves in time at its highest load."""

HEADS = (
    "p50 s",
    "p99 s",
    "in time",
    "of a client",
    "pictures/s",
    "replica s/picture",
    "fairness",
    "refused",
)
"""Of the columns of `describe`."""


@dataclass(frozen=True)
class Table:
    """What a setting does.

    Attributes:
        title: what is compared.
        rows: pattern of the arrivals and value of the setting -> outcome.
    """

    title: str
    rows: Mapping[tuple[str, str], Outcome]

    def cells(self) -> Iterator[Sequence[str]]:
        """Yield the lines of the table."""
        yield (self.title, "arrivals", *HEADS)
        for (pattern, value), outcome in self.rows.items():
            yield (value, pattern, *describe(outcome))


def describe(outcome: Outcome) -> Sequence[str]:
    """Return the figures of an outcome."""
    return (
        f"{outcome.percentile(0.5):.2f}",
        f"{outcome.percentile(0.99):.2f}",
        f"{outcome.in_time:.1%}",
        f"{outcome.median_client:.1%}",
        f"{outcome.goodput:.2f}",
        f"{outcome.cost:.2f}",
        f"{outcome.fairness:.3f}",
        f"{outcome.refused:.1%}",
    )


@dataclass(frozen=True)
class Bench:
    """A place to compare settings: the same devices, requests and seed for all of them.

    Attributes:
        costs: of a device.
        count: of the requests of a replica.
        load: requested work, relative to that of the devices if all calls have the best rows.
        replicas: engines.
        seed: of the requests.
        clients: who send them.
    """

    costs: Costs
    count: int = 1000
    load: float = 0.7
    replicas: int = 1
    seed: int = 0
    clients: Sequence[Client] = MIXED

    def workload(self, arrivals: Arrivals) -> Workload:
        """Return the requests."""
        unit = Workload(self.clients, 1.0, self.count * self.replicas, arrivals)
        rate = self.load * self.replicas / (unit.mean_work * self.costs.best)
        return replace(unit, rate=rate)

    def serve(self, arrivals: Arrivals, policy: Policy = CONTINUOUS, **options: Any) -> Outcome:
        """Return what comes of the requests."""
        options = {"replicas": self.replicas, **options}
        return serve(self.workload(arrivals), self.costs, policy, seed=self.seed, **options)

    def compare(self, title: str, policies: Mapping[str, Policy]) -> Table:
        """Return the outcomes of policies by their names."""
        return self._tabulate(title, {name: {"policy": each} for name, each in policies.items()})

    def compare_policies(self) -> Table:
        """Compare the engine with other ways to serve."""
        return self.compare("policy", {each.name: each for each in POLICIES})

    def compare_capacities(self) -> Table:
        """Compare ways to serve at the highest load of which they serve enough in time."""
        rows: dict[tuple[str, str], Outcome] = {}
        for pattern, arrivals in PATTERNS.items():
            for policy in POLICIES:
                load = self.find_capacity(arrivals, policy)
                bench = replace(self, load=load)
                rows[pattern, f"{policy.name}, load {load:.2f}"] = bench.serve(arrivals, policy)
        return Table("policy at its highest load", rows)

    def find_capacity(self, arrivals: Arrivals, policy: Policy) -> float:
        """Return the highest load, in 64ths, at which enough requests are served in time."""
        low, high = 0, 64
        while high - low > 1:
            middle = (low + high) // 2
            outcome = replace(self, load=middle / 64).serve(arrivals, policy)
            low, high = (middle, high) if outcome.in_time >= ENOUGH else (low, middle)
        return max(1, low) / 64

    def vary(self, setting: str, values: Sequence[float]) -> Table:
        """Compare values of a setting of the engine."""
        changes: Mapping[str, Mapping[str, Any]] = {f"{each:g}": {setting: each} for each in values}
        policies = {name: replace(CONTINUOUS, **change) for name, change in changes.items()}
        return self.compare(setting, policies)

    def compare_queues(self) -> Table:
        """Compare orders in which requests start, while one client floods the engine."""
        policies = {name: replace(CONTINUOUS, make_queue=each) for name, each in QUEUES.items()}
        return replace(self, clients=FLOODED, load=FLOOD).compare("order", policies)

    def compare_routes(self) -> Table:
        """Compare ways to choose a replica."""
        return self._tabulate("route", {name: {"route": route} for name, route in ROUTES.items()})

    def compare_targets(self) -> Table:
        """Compare numbers of rows for which there is one replica."""
        most = 2 * self.replicas
        rules = {f"{each}": Autoscaling(each, most) for each in TARGETS}
        return self._tabulate(
            "rows a replica", {name: {"autoscaling": each} for name, each in rules.items()}
        )

    def _tabulate(self, title: str, settings: Mapping[str, Mapping[str, Any]]) -> Table:
        return Table(
            title,
            {
                (pattern, name): self.serve(arrivals, **options)
                for pattern, arrivals in PATTERNS.items()
                for name, options in settings.items()
            },
        )


def tune_defaults(bench: Bench, fleet: Bench) -> Iterator[Table]:
    """Yield the tables of all defaults.

    Args:
        bench: one replica.
        fleet: several.
    """
    yield bench.compare_policies()
    yield bench.compare_capacities()
    yield bench.vary("rows", ROWS)
    yield bench.vary("active", ACTIVE)
    yield bench.vary("patience", PATIENCE)
    yield bench.compare_queues()
    yield fleet.compare_routes()
    yield fleet.compare_targets()
