"""What a cache should hold, and what it holds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latelier.contracts.errors import InvalidConfigError
from latelier.data.pictures import UnusableError
from latelier.training.configs.data import DataConfig
from latelier.training.data.buckets import Buckets
from latelier.training.data.cache.hashes import FileHashes
from latelier.training.data.cache.views import check_views, view_key
from latelier.training.data.source import SampleSource
from latelier.training.data.views import Size


@dataclass(frozen=True, slots=True)
class CacheTask:
    """A view that a cache should hold.

    Attributes:
        source: Number of its source.
        number: Of the sample in the source.
        view: Number of the view, from 0.
        size: Width and height of the sample's bucket; None without buckets.
        key: Of what it shows.
    """

    source: int
    number: int
    view: int
    size: Size | None
    key: str


@dataclass(frozen=True)
class CachePlan:
    """The views of all samples.

    Attributes:
        tasks: The views to store.
        unusable: Reason for each sample that cannot be used, by source and number.
    """

    tasks: Sequence[CacheTask]
    unusable: Mapping[tuple[int, int], str]


def plan_cache(
    sources: Sequence[SampleSource],
    buckets: Buckets | None,
    config: DataConfig,
    hashes: FileHashes,
    are_random: bool,
) -> CachePlan:
    """Return the views that a cache should hold.

    Args:
        sources: of the samples.
        buckets: of the samples, or None.
        config: of the data; it has a cache.
        hashes: of files.
        are_random: whether conditions differ between views.

    Raises:
        InvalidConfigError: the number of views does not fit, or a source is endless.
    """
    check_views(config, are_random)
    tasks: list[CacheTask] = []
    unusable: dict[tuple[int, int], str] = {}
    for place, source in enumerate(sources):
        if source.length is None:
            raise InvalidConfigError(
                "data.length: a cache needs a number of scenes, such as 100000; without one each "
                "position has a new scene"
            )
        for number in range(source.length):
            size = None if buckets is None else buckets.size_of(place, number)
            try:
                tasks += _tasks_of(place, source, number, size, config, hashes)
            except UnusableError as error:
                unusable[place, number] = str(error)
    return CachePlan(tasks, unusable)


def locate_views(
    plan: CachePlan,
    keys: Sequence[str],
    stored: Mapping[str, tuple[int, int]],
    lengths: Sequence[int],
    views: int,
) -> list[NDArray[np.int32]]:
    """Return shard and row of each view of each sample, (N, views, 2) for each source.

    Both are -1 where the view is not stored.

    Args:
        plan: of the cache.
        keys: of the plan's tasks.
        stored: shard and row by key.
        lengths: numbers of samples of the sources.
        views: number of views of each sample.
    """
    places = [np.full((length, views, 2), -1, dtype=np.int32) for length in lengths]
    for task, key in zip(plan.tasks, keys, strict=True):
        if key in stored:
            places[task.source][task.number, task.view] = stored[key]
    return places


def _tasks_of(
    place: int,
    source: SampleSource,
    number: int,
    size: Size | None,
    config: DataConfig,
    hashes: FileHashes,
) -> Iterator[CacheTask]:
    assert config.cache is not None
    for view in range(config.cache.views):
        key = view_key(source, number, view, size, config, hashes)
        yield CacheTask(place, number, view, size, key)
