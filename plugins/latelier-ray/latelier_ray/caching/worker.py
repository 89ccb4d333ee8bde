"""The worker of a cache: encodes views and stores them, as a process of one machine does."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from latelier.kernel.default import default_atelier
from latelier.pipeline.placement import resolve_device
from latelier.training.caching import open_caches
from latelier.training.data.cache.build import ViewJob, ViewResult

from latelier_ray.machine import Home


@dataclass(frozen=True, eq=False)
class ViewChunk:
    """Views that a worker encodes into one shard."""

    jobs: Sequence[ViewJob]


class CachingWorker:
    """Encodes views of a cache.

    Args:
        training: its kind.
        config: its configuration file.
        folder: of the cache.
        device: of the networks.
        home: where the command was started.

    Raises:
        LatelierError: see `open_caches` and `Home.enter`.
    """

    def __init__(self, training: str, config: Path, folder: Path, device: str, home: Home) -> None:
        home.enter(folder)
        self._cache, _ = open_caches(training, config, default_atelier())
        self._device, _ = resolve_device(device, "float32")

    def compute(self, chunk: ViewChunk) -> list[ViewResult]:
        """Encode views, store them, and return what became of each.

        Raises:
            DataError: a number does not fit into the type of the cache.
            OSError: a shard cannot be written.
        """
        return list(self._cache.encode(chunk.jobs, self._device, 0))
