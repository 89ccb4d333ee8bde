"""`latelier ray train`: train on many devices and machines, which are replaced when they fail."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    training: Annotated[str, typer.Argument(metavar="TRAINING")],
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml")],
    cluster: Annotated[str, typer.Option(metavar="local|auto|HOST:PORT")] = "local",
    workers: Annotated[int | None, typer.Option(min=1, max=10_000, metavar="COUNT")] = None,
    failures: Annotated[int, typer.Option(min=0, metavar="COUNT")] = 8,
) -> None:
    """Train as `latelier train` does, with processes on any machines of a cluster.

    Each of the two commands goes on from the last checkpoint of the other, with any number of
    processes. Where one dies, or its machine, all start again from the last checkpoint.

    Example: latelier ray train denoiser training.yaml --cluster auto

    Args:
        training: first-stage, denoiser, adapter, lora, distillation or conditional-decoder.
        config: its configuration. All machines of a cluster share the folder of the run.
        cluster: local starts an instance that ends with the command; auto is the cluster of this
            machine.
        workers: processes, as many on each machine; one for each GPU, or for each core, by default.
        failures: how often the processes may fail and start again.
    """
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.output import show_line
    from latelier.training.loop.folder.names import RESULT

    from latelier_ray.cluster import connect
    from latelier_ray.machine import Home
    from latelier_ray.sizing import local_cpus, size_workers
    from latelier_ray.training.log import show_log
    from latelier_ray.training.processes import Order, train_with

    order = Order(training, config, Home.here())
    planned = order.plan(load_atelier()).config  # raises before anything is started
    device = "cpu" if planned.accelerator == "cpu" else "auto"
    with connect(cluster, local_cpus(workers, 1)) as found:
        size = size_workers(found, workers, 1, device)
        with show_log(planned):
            train_with(size, order, planned.out, failures)
    show_line(planned.out / RESULT)
