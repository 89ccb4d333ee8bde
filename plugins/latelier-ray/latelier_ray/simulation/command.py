"""`latelier ray simulate` and `latelier ray tune`: serving without a model."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from latelier_ray.simulation.tables import Table

Device = Annotated[str, typer.Option(metavar="cpu|gpu")]
Load = Annotated[float, typer.Option(min=0.01, max=10)]
Count = Annotated[int, typer.Option(min=1, max=1_000_000, metavar="REQUESTS")]
Seed = Annotated[int, typer.Option(min=0)]


def simulate(
    device: Device = "cpu",
    replicas: Annotated[int, typer.Option(min=1, max=64)] = 1,
    load: Load = 0.7,
    count: Count = 1000,
    seed: Seed = 0,
) -> None:
    """Simulate ways to serve the same requests, and print what comes of them.

    There is no model: calls take the seconds that were measured on a device. Requests of eight
    clients have mixed sizes, steps and numbers of pictures. The same seed gives the same numbers.

    Example: latelier ray simulate --device gpu --replicas 4

    Args:
        device: whose seconds calls take.
        replicas: engines, each with a device of its own.
        load: of the devices, 1 is what they do if all calls have the best number of rows.
        count: of the requests, for each replica.
        seed: of the requests.
    """
    from latelier_ray.simulation.costs import Costs
    from latelier_ray.simulation.tables import Bench

    bench = Bench(Costs.of_device(device), count, load, replicas, seed)
    show([bench.compare_policies()])


def tune(device: Device = "cpu", load: Load = 0.7, count: Count = 1000, seed: Seed = 0) -> None:
    """Print the tables by which the defaults of rows, patience, fairness and so on were chosen.

    They are those of one simulated engine, and of eight behind one door.

    Example: latelier ray tune --device gpu

    Args:
        device: whose seconds calls take.
        load: of the devices, 1 is what they do if all calls have the best number of rows.
        count: of the requests, for each replica.
        seed: of the requests.
    """
    from latelier_ray.simulation.costs import Costs
    from latelier_ray.simulation.tables import FLEET, Bench, tune_defaults

    costs = Costs.of_device(device)
    bench, fleet = (Bench(costs, count, load, replicas, seed) for replicas in (1, FLEET))
    show(tune_defaults(bench, fleet))


def show(tables: Iterable["Table"]) -> None:
    """Print tables in Markdown, each when it is there."""
    from latelier.cli.support.output import show_line
    from latelier.evaluation.report.markdown import to_table

    for table in tables:
        heads, *rows = table.cells()
        show_line(to_table(heads, rows))
        show_line("")
