"""Samples whose latents are read from a cache."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latelier.contracts.errors import InvalidConfigError
from latelier.data.pictures import UnusableError
from latelier.training.data.cache.shards import ShardReader
from latelier.training.data.scene_source import SceneSource
from latelier.training.data.source import HashOf, SampleSource
from latelier.training.data.views import Size


class CachedSource:
    """A source of which one view of several is drawn; no picture is read."""

    def __init__(
        self,
        source: SampleSource,
        shards: ShardReader,
        places: NDArray[np.int32],
        unusable: Mapping[int, str],
    ) -> None:
        """Create the source.

        Args:
            source: of the same samples, with pictures.
            shards: of the cache.
            places: shard and row of each view of each sample, (N, views, 2).
            unusable: reason for each sample that cannot be used, by number.
        """
        self.name = source.name
        self.length = source.length
        self._source = source
        self._shards = shards
        self._places = places
        self._unusable = unusable

    def sample_name(self, number: int, /) -> str:
        """Return the name of a sample in reports."""
        return self._source.sample_name(number)

    def describe(self, number: int, generator: np.random.Generator, /) -> dict[str, Any]:
        """Return the fields of a sample that do not depend on its view."""
        if isinstance(self._source, SceneSource):  # the cache has them; composing takes longer
            fields = self._shards.read_fields(*self._place(number, 0))
            return {**fields, **self._source.list_references(number)}
        return self._source.describe(number, generator)

    def show(
        self, number: int, _size: Size | None, generator: np.random.Generator, /
    ) -> dict[str, Any]:
        """Return "moments" or "latents" of one view, and its layout, map and mask."""
        if number in self._unusable:
            raise UnusableError(self._unusable[number])
        view = int(generator.integers(self._places.shape[1]))
        fields, tensors = self._shards.read(*self._place(number, view))
        floating = {name: each for name, each in tensors.items() if each.is_floating_point()}
        arrays = {name: each.numpy() for name, each in tensors.items() if name not in floating}
        return {**fields, **arrays, **{name: each.float() for name, each in floating.items()}}

    def list_values(self, number: int, field: str, /) -> Sequence[Any]:
        """Return the values that `describe` can give a field."""
        return self._source.list_values(number, field)

    def content_key(self, number: int, hash_of: HashOf, /) -> str:
        """Return the key of the source with pictures."""
        return self._source.content_key(number, hash_of)

    def list_fields(self) -> frozenset[str]:
        """Return the fields that some samples have."""
        return self._source.list_fields() - {"image"}

    def check_fields(self, fields: Mapping[str, int | None], /) -> None:
        """Check that all samples have some fields; none has a picture."""
        if "image" in fields:
            raise InvalidConfigError(
                "data.cache: a conditioner reads the picture itself ('image'), which samples of a "
                "cache do not have; leave the cache or the conditioner out"
            )
        self._source.check_fields(fields)

    def _place(self, number: int, view: int) -> tuple[int, int]:
        """Return the shard and the row of a view."""
        shard, row = self._places[number, view]
        return int(shard), int(row)
