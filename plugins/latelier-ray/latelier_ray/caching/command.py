"""`latelier ray cache`: encode the pictures of a training once, by many workers."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from latelier.cli.support.output import AsJson

if TYPE_CHECKING:
    from latelier.training.data.cache.build import ViewJob, ViewResult

T = TypeVar("T")


def cache(
    training: Annotated[str, typer.Argument(metavar="TRAINING")],
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml")],
    cluster: Annotated[str, typer.Option(metavar="local|auto|HOST:PORT")] = "local",
    workers: Annotated[int | None, typer.Option(min=1, max=10_000, metavar="COUNT")] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Write the cache of a training, as `latelier data cache` does.

    Each of the two commands goes on with what the other has stored. Workers encode pictures, and
    what conditioners make of each; values that pictures share, such as captions, are encoded here.

    Example: latelier ray cache denoiser training.yaml --cluster auto

    Args:
        training: denoiser, adapter, lora or distillation.
        config: its configuration, with data.cache, a folder that all machines of a cluster share.
        cluster: local starts an instance that ends with the command; auto is the cluster of this
            machine.
        workers: one for each GPU, or for each core, by default.
        device: of the networks.
        as_json: print JSON.
    """
    from latelier.cli.commands.data.cache import show_states
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.progress import track
    from latelier.pipeline.placement import resolve_device
    from latelier.training.caching import open_caches

    from latelier_ray.caching.worker import CachingWorker, ViewChunk
    from latelier_ray.cluster import connect
    from latelier_ray.machine import Home
    from latelier_ray.sizing import check_device, local_cpus, size_workers
    from latelier_ray.workers import WorkerPool

    check_device(device)
    opened, features = open_caches(training, config, load_atelier())

    def show_progress(results: Iterable[T], total: int) -> Iterable[T]:
        return track(results, "encoding", total)

    with connect(cluster, local_cpus(workers, 1)) as found:
        size = size_workers(found, workers, 1, device)

        def encode(jobs: "Sequence[ViewJob]") -> "Iterator[ViewResult]":
            if not jobs:
                return
            arguments = (training, config, opened.folder.absolute(), device, Home.here())
            pool = WorkerPool[ViewChunk](size, CachingWorker, *arguments)
            for results in pool.compute(map(ViewChunk, _divide(jobs))):
                yield from results

        state = opened.write(encode, show_progress)
    placed, _ = resolve_device(device, "float32")
    of_values = {each.name: each.write(placed, show_progress) for each in features}
    show_states(opened, state, of_values, as_json=as_json)


def _divide(jobs: "Sequence[ViewJob]") -> "Iterator[Sequence[ViewJob]]":
    """Yield the views of each shard."""
    from latelier.training.data.cache.shards import SHARD_VIEWS

    for start in range(0, len(jobs), SHARD_VIEWS):
        yield jobs[start : start + SHARD_VIEWS]
