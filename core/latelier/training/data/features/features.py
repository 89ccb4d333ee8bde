"""The stored features of a frozen conditioner: opened for training, written, and checked."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import torch

from latelier.contracts.errors import DataError
from latelier.io.atomic import write_json
from latelier.training.configs.data import DataConfig
from latelier.training.data.cache.shards import CachedView, ShardReader, write_shard
from latelier.training.data.cache.state import CacheState
from latelier.training.data.cache.stores import read_reasons
from latelier.training.data.features.encoding import FeatureEncoder, Row
from latelier.training.data.features.identity import (
    IDENTITY_FILE,
    FeatureIdentity,
    check_feature_identity,
    identify_features,
    write_feature_identity,
)
from latelier.training.data.features.reader import FeatureReader
from latelier.training.data.features.values import (
    FrozenConditions,
    check_cacheable,
    depends_on_view,
    list_values,
)
from latelier.training.data.source import SampleSource

SHARD_ROWS = 256
"""Rows of a shard; a killed process loses at most as many."""

FEATURES_FOLDER = "conditioners"
"""Within the folder of a cache."""
_REFUSED_FILE = "refused.json"

Encoded = tuple[str, Row | str]
"""The key of an input, with its row, or with why the conditioner refuses it."""

Progress = Callable[[Iterable[Encoded], int], Iterable[Encoded]]
"""Passes results on, of which it is given the number."""


class FeatureCache:
    """The features of one frozen conditioner for all inputs that a training has.

    Attributes:
        name: Of the conditioner.
        folder: Of the features, within that of the cache.
    """

    def __init__(
        self,
        name: str,
        frozen: FrozenConditions,
        data: DataConfig,
        sources: Sequence[SampleSource],
    ) -> None:
        """Create the features; nothing is read or written.

        Args:
            name: of the conditioner.
            frozen: the conditioners, one of them of that name.
            data: the configuration; it has a cache.
            sources: of the samples to train on.

        Raises:
            InvalidConfigError: the outputs of the conditioner cannot be stored.
        """
        assert data.cache is not None
        check_cacheable(name, frozen, data)
        self.name = name
        self.folder: Path = data.cache.folder / FEATURES_FOLDER / name
        self._component = frozen.components[name]
        self._origin = frozen.origin
        self._field = frozen.sources[name]
        self._dtype = data.cache.dtype
        self._sources = sources

    def open(self) -> FeatureReader:
        """Return what reads the features of samples.

        Raises:
            DataError: there are none, they are another conditioner's, or some are missing.
        """
        check_feature_identity(self.folder, self.name, self._identify())
        values, names = list_values(self._sources, self._field)
        shards = ShardReader(self.folder)
        stored, refused = shards.list_views(), self._read_refused()
        missing = values.keys() - stored.keys() - refused.keys()
        if missing:
            first = next(key for key in values if key in missing)
            raise DataError(
                f"{self.folder}: lacks the features of {len(missing)} of {len(values)} values of "
                f"'{self._field}', such as that of '{names[first]}'; 'latelier data cache' adds "
                "them"
            )
        return FeatureReader(self._field, shards, stored, refused)

    def write(self, device: torch.device, progress: Progress) -> CacheState:
        """Add what is missing. A killed process is continued by the next call.

        Raises:
            DataError: the folder holds the features of another conditioner, or a number does not
                fit into the type of the cache.
            OSError: they cannot be written.
        """
        if (self.folder / IDENTITY_FILE).exists():
            check_feature_identity(self.folder, self.name, self._identify())
        else:
            write_feature_identity(self.folder, self._identify())
        values, names = list_values(self._sources, self._field)
        stored = ShardReader(self.folder).list_views().keys()
        missing = {key: value for key, value in values.items() if key not in stored}
        encoder = FeatureEncoder(
            self._component.module, self._field, device, getattr(torch, self._dtype)
        )
        refused, written = self._store(progress(encoder.encode(missing), len(missing)))
        write_json(self.folder / _REFUSED_FILE, refused)
        return _summarize(values.keys(), stored, written, refused, names)

    def check(self) -> CacheState:
        """Return what is stored and what is missing.

        Raises:
            DataError: there are no features, they are another conditioner's, or a shard is damaged.
        """
        check_feature_identity(self.folder, self.name, self._identify())
        values, names = list_values(self._sources, self._field)
        stored = ShardReader(self.folder).list_views().keys()
        return _summarize(values.keys(), stored, 0, self._read_refused(), names)

    def _identify(self) -> FeatureIdentity:
        return identify_features(self._component, self._origin, self._dtype)

    def _read_refused(self) -> dict[str, str]:
        """Return why the conditioner refused inputs when the features were written, by key."""
        return read_reasons(self.folder / _REFUSED_FILE)

    def _store(self, results: Iterable[Encoded]) -> tuple[dict[str, str], int]:
        """Write rows in shards; return the reasons of refused inputs, and the number of rows."""
        refused: dict[str, str] = {}
        waiting: list[CachedView] = []
        written = 0
        for key, row in results:
            if isinstance(row, str):
                refused[key] = row
                continue
            waiting.append(CachedView(key, {}, row))
            written += 1
            if len(waiting) == SHARD_ROWS:
                write_shard(self.folder, waiting)
                waiting = []
        if waiting:
            write_shard(self.folder, waiting)
        return refused, written


def make_feature_caches(
    data: DataConfig, sources: Sequence[SampleSource], frozen: FrozenConditions
) -> list[FeatureCache]:
    """Return the features that a configuration names, of inputs that do not depend on views.

    Raises:
        InvalidConfigError: the outputs of a conditioner cannot be stored.
    """
    names = () if data.cache is None else data.cache.conditioners
    return [
        FeatureCache(name, frozen, data, sources)
        for name in names
        if not depends_on_view(name, frozen)
    ]


def _summarize(
    wanted: Iterable[str],
    stored: Iterable[str],
    written: int,
    refused: Mapping[str, str],
    names: Mapping[str, str],
) -> CacheState:
    """Return the state; `names` are samples with the values, by key."""
    usable = set(wanted) - refused.keys()
    present, stale = len(usable & set(stored)) + written, len(set(stored) - usable)
    unusable = {names[key]: reason for key, reason in refused.items() if key in names}
    return CacheState(len(usable), present, written, stale, unusable)
