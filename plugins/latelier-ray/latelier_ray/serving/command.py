"""`latelier ray serve`: the server of `latelier serve`, with its models on replicas."""

import os
from math import ceil
from typing import Annotated

import typer
from latelier_server.options import ServerOptions, with_server_options


@with_server_options
def serve(  # noqa: D417 (options: they have their own texts)
    options: ServerOptions,
    cluster: Annotated[str, typer.Option(metavar="ADDRESS")] = "local",
    replicas: Annotated[int, typer.Option(min=0)] = 2,
    max_replicas: Annotated[int | None, typer.Option(min=1)] = None,
    cpus: Annotated[float | None, typer.Option(min=0.001)] = None,
    gpus: Annotated[float | None, typer.Option(min=0)] = None,
    name: Annotated[str, typer.Option(metavar="NAME")] = "latelier",
) -> None:
    """Serve models over HTTP as `latelier serve` does, with each model on several replicas.

    A replica is a process with the model and its engine, anywhere on a cluster of Ray. If one dies,
    its requests are run again on another. With --max-replicas there are more replicas as more
    pictures wait. Rows, active jobs and the queue are those of a replica.

    Example: latelier ray serve emoji-scenes --replicas 2

    Args:
        cluster: local for one of this machine that ends with the command, auto, or HOST:PORT.
        replicas: of each model; 0 with --max-replicas for none while nobody asks for the model.
        max_replicas: most replicas of a model, as many as its pictures need.
        cpus: of a replica, and threads of torch. By default all of this machine are divided among
            the replicas of a local cluster; 1 elsewhere.
        gpus: of a replica; by default 1 if the cluster has any.
        name: of the server on its cluster, where another one with this name would be replaced.
    """
    from latelier.contracts.errors import InvalidInputError
    from latelier_server.app import create_app
    from latelier_server.models.summary import find_models

    from latelier_ray.cluster import LOCAL, connect

    if options.memory is not None:
        raise InvalidInputError("--memory: replicas have memory of their own; leave it out")
    most = max(replicas, 1) if max_replicas is None else max_replicas
    if replicas > most:
        raise InvalidInputError(f"--replicas {replicas} are more than --max-replicas {most}")
    if cpus is None:
        cpus = max(1, (os.cpu_count() or 1) // most) if cluster == LOCAL else 1
    settings = options.settings()
    summaries = find_models(settings.models)
    with connect(cluster, ceil(most * cpus) * len(summaries) + 1) as found:
        from latelier_ray.serving.deployments import Deployments
        from latelier_ray.serving.scaling import ReplicaOptions

        if gpus is None:
            gpus = 1 if found.gpus and options.device != "cpu" else 0
        chosen = ReplicaOptions(
            least=replicas, most=most, cpus=cpus, gpus=gpus, drain=options.drain
        )
        deployments = Deployments(chosen, name)
        try:
            deployments.load(summaries[0], settings)
            options.run(create_app(settings, load=deployments.load))
        finally:
            deployments.close()
