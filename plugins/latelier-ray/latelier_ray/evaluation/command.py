"""`latelier ray evaluate`: make pictures by a protocol, and measure them, by many workers."""

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml")],
    cluster: Annotated[str, typer.Option(metavar="local|auto|HOST:PORT")] = "local",
    workers: Annotated[int | None, typer.Option(min=1, max=10_000, metavar="COUNT")] = None,
    model: Annotated[str | None, typer.Option(metavar="MODEL")] = None,
    data: Annotated[Path | None, typer.Option(metavar="PATH")] = None,
    pictures: Annotated[int | None, typer.Option(min=1)] = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER")] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE")] = None,
    device: Annotated[str | None, typer.Option(metavar="auto|cpu|cuda")] = None,
) -> None:
    """Make pictures by a protocol, and measure them, as `latelier evaluate run` does.

    The results are the same, and each of the two commands goes on with what the other has stored.

    Example: latelier ray evaluate configs/evaluation/text.yaml --cluster auto

    Args:
        config: the protocol of the evaluation.
        cluster: local starts an instance that ends with the command; auto is the cluster of this
            machine.
        workers: one for each GPU, or for each core, by default.
        model: embedded name, folder or hub id.
        data: data set in place of the protocol's.
        pictures: number of pictures.
        out: folder of the run. All machines of a cluster share it.
        changes: change a field, such as generate.steps=50. Repeatable.
        device: where to compute.
    """
    from latelier.cli.commands.evaluate.options import show_results
    from latelier.cli.commands.evaluate.protocol import read_protocol
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.progress import track_counts
    from latelier.evaluation.run.recording import Part, Resources
    from latelier.evaluation.run.run import run_evaluation

    from latelier_ray.cluster import connect
    from latelier_ray.evaluation.compute import compute_with
    from latelier_ray.sizing import check_device, local_cpus, size_workers

    given = {"model": model, "pictures": pictures, "out": out, "device": device}
    evaluation = read_protocol(config, given, data, changes or [])
    check_device(evaluation.device)
    cpus = local_cpus(workers, evaluation.threads)
    with connect(cluster, cpus) as found:
        size = size_workers(found, workers, evaluation.threads, evaluation.device)
        resources = Resources(compute_with(size), Part(), track_counts, load_atelier())
        results = run_evaluation(evaluation, resources)
    assert results is not None  # it was not a part
    show_results(results, evaluation.out)
