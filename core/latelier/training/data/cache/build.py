"""Writing a cache: each view is read once, and encoded for all stores that lack it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from latelier.data.pictures import UnusableError
from latelier.training.configs.data import DataConfig
from latelier.training.data.cache.plan import CacheTask
from latelier.training.data.cache.shards import SHARD_VIEWS, CachedView, write_shard
from latelier.training.data.cache.stores import Store, shapes_of
from latelier.training.data.cache.views import view_generator
from latelier.training.data.source import SampleSource

R = TypeVar("R")

_BATCH = 16
"""Views that are encoded together."""


@dataclass(frozen=True)
class ViewJob:
    """A view that some stores lack.

    Attributes:
        task: The view.
        keys: Its key in each of these stores, by their numbers.
    """

    task: CacheTask
    keys: Mapping[int, str]


@dataclass(frozen=True)
class ViewResult:
    """A view that a store now has, or the reason why it cannot have it.

    Attributes:
        store: Number of the store.
        key: Of the view in it.
        task: The view.
        reason: Why it cannot be used; None if it was stored.
    """

    store: int
    key: str
    task: CacheTask
    reason: str | None = None


def write_views(
    stores: Sequence[Store],
    jobs: Sequence[ViewJob],
    sources: Sequence[SampleSource],
    config: DataConfig,
    device: torch.device,
    workers: int,
) -> Iterator[ViewResult]:
    """Encode views and write them in shards; yield each once its shard is written.

    Args:
        stores: of the cache.
        jobs: views to store.
        sources: of the samples.
        config: of the data.
        device: of the networks.
        workers: processes that read pictures.

    Raises:
        OSError: a shard cannot be written.
        DataError: a number does not fit into the type of the cache.
    """
    loader = DataLoader(
        _Views(stores, jobs, sources, config),
        batch_size=None,
        collate_fn=_keep,  # the default one makes tensors of numbers
        num_workers=workers,
        prefetch_factor=2 * _BATCH if workers else None,  # workers go on while views are encoded
        generator=torch.Generator(),
    )
    writers = [_StoreWriter(number, store, device) for number, store in enumerate(stores)]
    with _leave_cores(workers):
        for job, rows in loader:
            for number, row in rows.items():
                yield from writers[number].add(job, row)
        for writer in writers:
            yield from writer.finish()


@contextmanager
def _leave_cores(workers: int) -> Iterator[None]:
    """Compute with as many threads as the workers leave cores; more would wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads - workers))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _StoreWriter:
    """Encodes the rows of one store in batches of one size, and writes shards of them."""

    def __init__(self, number: int, store: Store, device: torch.device) -> None:
        self._number = number
        self._store = store
        self._device = device
        self._waiting: dict[tuple[tuple[int, ...], ...], list[tuple[ViewJob, dict[str, Any]]]] = {}
        self._encoded: list[tuple[ViewJob, CachedView]] = []

    def add(self, job: ViewJob, row: dict[str, Any] | str) -> Iterator[ViewResult]:
        """Take a prepared row, or why there is none; yield the results of what is now written."""
        if isinstance(row, str):
            yield ViewResult(self._number, job.keys[self._number], job.task, row)
            return
        shapes = shapes_of(row)
        batch = self._waiting.setdefault(shapes, [])
        batch.append((job, row))
        if len(batch) == _BATCH:
            self._encode(self._waiting.pop(shapes))
        if len(self._encoded) >= SHARD_VIEWS:
            yield from self._write()

    def finish(self) -> Iterator[ViewResult]:
        """Write the rest and yield its results."""
        for batch in self._waiting.values():
            self._encode(batch)
        self._waiting = {}
        if self._encoded:
            yield from self._write()

    def _encode(self, batch: Sequence[tuple[ViewJob, dict[str, Any]]]) -> None:
        jobs, rows = zip(*batch, strict=True)
        keys = [job.keys[self._number] for job in jobs]
        self._encoded += zip(jobs, self._store.encode(keys, rows, self._device), strict=True)

    def _write(self) -> list[ViewResult]:
        write_shard(self._store.folder, [view for _, view in self._encoded])
        written = [ViewResult(self._number, view.key, job.task) for job, view in self._encoded]
        self._encoded = []
        return written


def _keep(result: R) -> R:
    return result


class _Views(Dataset[tuple[ViewJob, dict[int, dict[str, Any] | str]]]):
    """Views as the prepared rows of stores, or the reasons why there are none."""

    def __init__(
        self,
        stores: Sequence[Store],
        jobs: Sequence[ViewJob],
        sources: Sequence[SampleSource],
        config: DataConfig,
    ) -> None:
        self._stores = stores
        self._jobs = jobs
        self._sources = sources
        self._config = config

    def __len__(self) -> int:
        return len(self._jobs)

    def __getitem__(self, place: int) -> tuple[ViewJob, dict[int, dict[str, Any] | str]]:
        job = self._jobs[place]
        source, task = self._sources[job.task.source], job.task
        name = source.sample_name(task.number)
        generator = view_generator(name, task.view, self._config)
        rows: dict[int, dict[str, Any] | str] = {}
        try:
            sample = source.show(task.number, task.size, generator)
        except UnusableError as error:
            return job, dict.fromkeys(job.keys, str(error))
        for number in job.keys:
            try:
                rows[number] = self._stores[number].prepare(sample, task, name)
            except UnusableError as error:
                rows[number] = str(error)
        return job, rows
