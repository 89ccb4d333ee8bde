"""Computes the chunks of an evaluation with workers of a cluster."""

from collections.abc import Generator, Sequence
from pathlib import Path

from latelier.evaluation.run.evaluation import Evaluation
from latelier.evaluation.run.processes import Compute

from latelier_ray.evaluation.worker import EvaluationWorker
from latelier_ray.machine import Home
from latelier_ray.workers import WorkerPool, WorkerSize


def compute_with(size: WorkerSize) -> Compute:
    """Return what computes chunks with workers of the cluster that this process is connected to."""

    def compute(
        evaluation: Evaluation, folder: Path, numbers: Sequence[int], identity: str
    ) -> Generator[int]:
        if not numbers:
            return
        arguments = (evaluation.config, folder.absolute(), identity, Home.here())
        few = WorkerSize(min(size.count, len(numbers)), size.cpus, size.gpus)
        pool = WorkerPool[int](few, EvaluationWorker, *arguments)
        yield from pool.compute(iter(numbers))

    return compute
