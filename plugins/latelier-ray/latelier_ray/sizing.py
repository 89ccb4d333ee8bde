"""How many workers a cluster gets, where nobody says it."""

import os

import torch
from latelier.contracts.errors import InvalidInputError
from latelier.nn.memory import free_memory

from latelier_ray.cluster import Cluster
from latelier_ray.workers import WorkerSize

_DEVICES = ("auto", "cpu", "cuda")

_PROCESS_BYTES = 2**30
"""Memory of a worker besides its weights: Python, torch and what is computed."""


def check_device(device: str) -> None:
    """Check the device of workers; which GPU one has is decided by Ray.

    Raises:
        InvalidInputError: it is none.
    """
    if device not in _DEVICES:
        raise InvalidInputError(f"--device: expected {', '.join(_DEVICES)}, got '{device}'")


def local_cpus(workers: int | None, threads: int, model_bytes: int = 0) -> int:
    """Return the logical CPUs of a local instance: those of all workers, and one.

    Args:
        workers: how many were asked for; None: as many as cores and memory allow.
        threads: of each.
        model_bytes: of the weights that each loads.
    """
    count = workers
    if count is None:
        by_cores = (os.cpu_count() or 1) // threads
        by_memory = free_memory(torch.device("cpu")) // (_PROCESS_BYTES + 2 * model_bytes)
        count = max(1, min(by_cores, by_memory))
    return count * threads + 1


def size_workers(cluster: Cluster, workers: int | None, threads: int, device: str) -> WorkerSize:
    """Return the workers of a cluster: one for each GPU, else one for each `threads` CPUs.

    Raises:
        ClusterError: the cluster has no room for as many as were asked for.
    """
    gpus = int(device == "cuda" or (device == "auto" and cluster.gpus > 0))
    cpus = 1 if gpus else threads
    most = cluster.gpus if gpus else (cluster.cpus - cluster.is_local) // threads
    size = WorkerSize(max(1, most) if workers is None else workers, cpus, gpus)
    size.check(cluster)
    return size
