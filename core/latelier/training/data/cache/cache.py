"""A cache in the folder of a configuration: opened for training, written, and checked."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from latelier.checkpoints.component import Component
from latelier.contracts.errors import DataError
from latelier.training.configs.data import CacheConfig, DataConfig
from latelier.training.data.buckets import Buckets
from latelier.training.data.cache.build import ViewJob, ViewResult, write_views
from latelier.training.data.cache.cached_source import CachedSource, StoredViews
from latelier.training.data.cache.hashes import FileHashes, read_hashes
from latelier.training.data.cache.identity import CacheIdentity, identify
from latelier.training.data.cache.latents import LatentStore
from latelier.training.data.cache.plan import CachePlan, CacheTask, locate_views, plan_cache
from latelier.training.data.cache.shards import ShardReader
from latelier.training.data.cache.state import CacheState
from latelier.training.data.cache.stores import Store
from latelier.training.data.source import SampleSource

Progress = Callable[[Iterable[ViewResult], int], Iterable[ViewResult]]
"""Passes results on, of which it is given the number."""

Encode = Callable[[Sequence[ViewJob]], Iterable[ViewResult]]
"""Encodes and stores views as `Cache.encode` does, wherever."""


class Cache:
    """The cache of a configuration and a first stage.

    Attributes:
        folder: Of the cache.
        identity: What its latents are made with.
    """

    def __init__(
        self,
        config: DataConfig,
        sources: Sequence[SampleSource],
        buckets: Buckets | None,
        first_stage: Component,
        first_stage_source: str,
        conditions: Mapping[str, Store],
        read: Collection[str] | None,
    ) -> None:
        """Create the cache; nothing is read or written.

        Args:
            config: of the data; it has a cache.
            sources: of the samples to train on.
            buckets: of the samples, or None.
            first_stage: encodes pictures.
            first_stage_source: where the first stage was read from, for messages.
            conditions: stores of the outputs of conditioners for each view, by their names.
            read: fields of samples that conditioners read, their outputs not being stored; None:
                any.
        """
        assert config.cache is not None
        self._settings: CacheConfig = config.cache
        self._config = config
        self._sources = sources
        self._buckets = buckets
        self._read = read
        self.folder: Path = config.cache.folder
        self.identity: CacheIdentity = identify(first_stage, first_stage_source, config.cache.dtype)
        self._latents = LatentStore(self.folder, self.identity, first_stage.module)
        self._conditions = conditions
        self._stores: list[Store] = [self._latents, *self._conditions.values()]

    def open(self) -> list[SampleSource]:
        """Return the sources whose samples have latents instead of pictures.

        Raises:
            DataError: there is no cache, it is another first stage's, or it lacks samples.
        """
        for store in self._stores:
            store.check()
        plan = self._plan(read_hashes(self.folder))
        unusable = dict(plan.unusable)
        latents = self._locate(self._latents, plan, unusable)
        stored = {
            name: self._locate(each, plan, unusable) for name, each in self._conditions.items()
        }
        return [
            CachedSource(
                source,
                latents[place],
                {number: reason for (at, number), reason in unusable.items() if at == place},
                {name: each[place] for name, each in stored.items()},
                self._read,
            )
            for place, source in enumerate(self._sources)
        ]

    def encode(
        self, jobs: Sequence[ViewJob], device: torch.device, workers: int
    ) -> Iterator[ViewResult]:
        """Encode views and store them; yield each once it is stored. See `write_views`."""
        return write_views(self._stores, jobs, self._sources, self._config, device, workers)

    def write(self, encode: Encode, progress: Progress) -> CacheState:
        """Add what the cache lacks. A killed process is continued by the next call.

        Args:
            encode: encodes and stores views, such as `encode` in this process.
            progress: passes results on.

        Raises:
            DataError: the folder holds the cache of another first stage or conditioner, or a
                number does not fit into the type of the cache.
            OSError: it cannot be written.
        """
        for store in self._stores:
            store.prepare_folder()
        hashes = read_hashes(self.folder)
        plan = self._plan(hashes)
        if hashes.changed:
            hashes.save(self.folder)
        jobs = self._list_missing(plan)
        results = encode(jobs)
        written = [0 for _ in self._stores]
        known: list[dict[str, str]] = [{} for _ in self._stores]
        for result in progress(results, sum(len(job.keys) for job in jobs)):
            if result.reason is None:
                written[result.store] += 1
            else:
                known[result.store][result.key] = result.reason
        for store, reasons in zip(self._stores, known, strict=True):
            store.write_unusable(reasons)
        return self._state(plan, written)

    def check(self) -> CacheState:
        """Return what the cache holds, after reading every file of the data set again.

        Raises:
            DataError: there is no cache, it is another first stage's, or a shard is damaged.
        """
        for store in self._stores:
            store.check()
        return self._state(self._plan(FileHashes()), [0 for _ in self._stores])

    def _plan(self, hashes: FileHashes) -> CachePlan:
        are_random = any(store.is_random for store in self._stores)
        return plan_cache(self._sources, self._buckets, self._config, hashes, are_random)

    def _list_missing(self, plan: CachePlan) -> list[ViewJob]:
        """Return the views that stores lack; equal ones are stored once."""
        present = [set(ShardReader(store.folder).list_views()) for store in self._stores]
        jobs = []
        for task in plan.tasks:
            keys = {}
            for number, store in enumerate(self._stores):
                key = self._key_of(store, task)
                if key not in present[number]:
                    present[number].add(key)
                    keys[number] = key
            if keys:
                jobs.append(ViewJob(task, keys))
        return jobs

    def _locate(
        self, store: Store, plan: CachePlan, unusable: dict[tuple[int, int], str]
    ) -> list[StoredViews]:
        """Return where a store has the views of each source, and add samples that it refuses.

        Raises:
            DataError: it lacks views.
        """
        shards, known = ShardReader(store.folder), store.read_unusable()
        stored = shards.list_views()
        keys = [self._key_of(store, task) for task in plan.tasks]
        missing = [
            task
            for task, key in zip(plan.tasks, keys, strict=True)
            if not (key in stored or key in known)
        ]
        if missing:
            raise DataError(
                f"{store.folder}: lacks {len(missing)} of {len(plan.tasks)} views, such as that of "
                f"'{self._name(missing[0])}'; 'latelier data cache' adds them"
            )
        for task, key in zip(plan.tasks, keys, strict=True):
            if key not in stored:
                unusable.setdefault((task.source, task.number), known[key])
        lengths = [source.length or 0 for source in self._sources]
        places = locate_views(plan, keys, stored, lengths, self._settings.views)
        return [StoredViews(shards, each) for each in places]

    def _state(self, plan: CachePlan, written: Sequence[int]) -> CacheState:
        latents, *others = (
            self._state_of(store, plan, count)
            for store, count in zip(self._stores, written, strict=True)
        )
        unusable = {self._sample(*at): why for at, why in plan.unusable.items()}
        return replace(
            latents,
            unusable=unusable | latents.unusable,
            conditions=dict(zip(self._conditions, others, strict=True)),
        )

    def _state_of(self, store: Store, plan: CachePlan, written: int) -> CacheState:
        stored, known = ShardReader(store.folder).list_views().keys(), store.read_unusable()
        keys = {self._key_of(store, task): task for task in plan.tasks}
        wanted = keys.keys() - known.keys()
        unusable = {self._name(keys[key]): known[key] for key in known.keys() & keys.keys()}
        present, stale = len(wanted & stored), len(stored - wanted)
        return CacheState(len(wanted), present, written, stale, unusable)

    def _key_of(self, store: Store, task: CacheTask) -> str:
        return store.key_of(task, self._sources[task.source])

    def _name(self, task: CacheTask) -> str:
        return self._sample(task.source, task.number)

    def _sample(self, source: int, number: int) -> str:
        return self._sources[source].sample_name(number)
