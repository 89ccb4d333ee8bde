"""A cache in the folder of a configuration: opened for training, written, and checked."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from latelier.checkpoints.component import Component
from latelier.contracts.errors import DataError
from latelier.io.atomic import write_json
from latelier.training.configs.data import CacheConfig, DataConfig
from latelier.training.data.buckets import Buckets
from latelier.training.data.cache.build import Encoder, ViewResult, write_views
from latelier.training.data.cache.cached_source import CachedSource
from latelier.training.data.cache.hashes import FileHashes, read_hashes
from latelier.training.data.cache.identity import (
    IDENTITY_FILE,
    CacheIdentity,
    check_identity,
    identify,
    write_identity,
)
from latelier.training.data.cache.plan import CachePlan, CacheTask, locate_views, plan_cache
from latelier.training.data.cache.shards import ShardReader
from latelier.training.data.source import SampleSource

_UNUSABLE_FILE = "unusable.json"

Progress = Callable[[Iterable[ViewResult], int], Iterable[ViewResult]]
"""Passes results on, of which it is given the number."""


@dataclass(frozen=True)
class CacheState:
    """What a cache holds of what it should.

    Attributes:
        wanted: Number of views of the configuration, or of values of a conditioner's input.
        present: How many of them the cache holds.
        written: How many were written now.
        stale: Those that it holds and the configuration does not need.
        unusable: Reason for each sample that cannot be used, by name.
    """

    wanted: int
    present: int
    written: int
    stale: int
    unusable: dict[str, str]

    @property
    def is_complete(self) -> bool:
        """Whether training can use it."""
        return self.present == self.wanted


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
    ) -> None:
        """Create the cache; nothing is read or written.

        Args:
            config: of the data; it has a cache.
            sources: of the samples to train on.
            buckets: of the samples, or None.
            first_stage: encodes pictures.
            first_stage_source: where the first stage was read from, for messages.
        """
        assert config.cache is not None
        self._settings: CacheConfig = config.cache
        self._config = config
        self._sources = sources
        self._buckets = buckets
        self._first_stage = first_stage
        self.folder: Path = config.cache.folder
        self.identity: CacheIdentity = identify(first_stage, first_stage_source, config.cache.dtype)

    def open(self) -> list[SampleSource]:
        """Return the sources whose samples have latents instead of pictures.

        Raises:
            DataError: there is no cache, it is another first stage's, or it lacks samples.
        """
        check_identity(self.folder, self.identity)
        shards, plan = ShardReader(self.folder), self._plan(read_hashes(self.folder))
        stored, known = shards.list_views(), _read_unusable(self.folder)
        missing = [task for task in plan.tasks if not (task.key in stored or task.key in known)]
        if missing:
            raise DataError(
                f"{self.folder}: lacks {len(missing)} of {len(plan.tasks)} views, such as that of "
                f"'{self._name(missing[0])}'; 'latelier data cache' adds them"
            )
        unusable = dict(plan.unusable)
        unusable |= {
            (task.source, task.number): known[task.key]
            for task in plan.tasks
            if task.key not in stored
        }
        lengths = [source.length or 0 for source in self._sources]
        places = locate_views(plan, stored, lengths, self._settings.views)
        return [
            CachedSource(
                source,
                shards,
                places[place],
                {number: reason for (at, number), reason in unusable.items() if at == place},
            )
            for place, source in enumerate(self._sources)
        ]

    def write(self, device: torch.device, workers: int, progress: Progress) -> CacheState:
        """Add what the cache lacks. A killed process is continued by the next call.

        Raises:
            DataError: the folder holds the cache of another first stage.
            OSError: it cannot be written.
        """
        if (self.folder / IDENTITY_FILE).exists():
            check_identity(self.folder, self.identity)
        else:
            write_identity(self.folder, self.identity)
        hashes = read_hashes(self.folder)
        plan = self._plan(hashes)
        if hashes.changed:
            hashes.save(self.folder)
        stored = ShardReader(self.folder).list_views()
        unusable = {self._sample(*place): reason for place, reason in plan.unusable.items()}
        known: dict[str, str] = {}
        written = 0
        missing = {task.key: task for task in plan.tasks if task.key not in stored}
        tasks = list(missing.values())  # equal pictures have one view
        encoder = Encoder(self._first_stage.module, device, getattr(torch, self._settings.dtype))
        results = write_views(self.folder, tasks, self._sources, self._config, encoder, workers)
        for result in progress(results, len(tasks)):
            if result.reason is not None:
                unusable[self._name(result.task)] = result.reason
                known[result.task.key] = result.reason
            else:
                written += 1
        write_json(self.folder / _UNUSABLE_FILE, known)
        return self._state(plan, stored, written, unusable, known)

    def check(self) -> CacheState:
        """Return what the cache holds, after reading every file of the data set again.

        Raises:
            DataError: there is no cache, it is another first stage's, or a shard is damaged.
        """
        check_identity(self.folder, self.identity)
        plan = self._plan(FileHashes())
        stored, known = ShardReader(self.folder).list_views(), _read_unusable(self.folder)
        unusable = {self._sample(*place): reason for place, reason in plan.unusable.items()}
        unusable |= {self._name(task): known[task.key] for task in plan.tasks if task.key in known}
        return self._state(plan, stored, 0, unusable, known)

    def _plan(self, hashes: FileHashes) -> CachePlan:
        return plan_cache(self._sources, self._buckets, self._config, hashes)

    def _state(
        self,
        plan: CachePlan,
        stored: dict[str, tuple[int, int]],
        written: int,
        unusable: dict[str, str],
        known: dict[str, str],
    ) -> CacheState:
        wanted = {task.key for task in plan.tasks} - known.keys()
        present = len(wanted & stored.keys()) + written
        stale = len(stored.keys() - wanted)
        return CacheState(len(wanted), present, written, stale, unusable)

    def _name(self, task: CacheTask) -> str:
        return self._sample(task.source, task.number)

    def _sample(self, source: int, number: int) -> str:
        return self._sources[source].sample_name(number)


def _read_unusable(folder: Path) -> dict[str, str]:
    """Return why views could not be made when the cache was written, by key."""
    try:
        values: Any = json.loads((folder / _UNUSABLE_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
