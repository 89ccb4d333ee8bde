"""Samples whose latents are read from a cache."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from latelier.contracts.errors import InvalidConfigError
from latelier.data.pictures import UnusableError
from latelier.training.data.cache.shards import ShardReader
from latelier.training.data.randomness import DataPurpose
from latelier.training.data.scene_source import SceneSource
from latelier.training.data.source import HashOf, SampleSource
from latelier.training.data.views import Size


@dataclass(frozen=True)
class StoredViews:
    """Where the views of a source are stored.

    Attributes:
        shards: Of the store.
        places: Shard and row of each view of each sample, (N, views, 2).
    """

    shards: ShardReader
    places: NDArray[np.int32]

    def read(self, number: int, view: int) -> dict[str, Tensor]:
        """Return the tensors of a view."""
        return self.shards.read(*self._place(number, view))

    def read_fields(self, number: int, view: int) -> dict[str, Any]:
        """Return the fields of a view."""
        return self.shards.read_fields(*self._place(number, view))

    def _place(self, number: int, view: int) -> tuple[int, int]:
        item = self.places.item
        return item(number, view, 0), item(number, view, 1)


class CachedSource:
    """A source of which one view of several is drawn; no picture is read."""

    def __init__(
        self,
        source: SampleSource,
        latents: StoredViews,
        unusable: Mapping[int, str],
        conditions: Mapping[str, StoredViews],
        read: Collection[str] | None,
    ) -> None:
        """Create the source.

        Args:
            source: of the same samples, with pictures.
            latents: of the views.
            unusable: reason for each sample that cannot be used, by number.
            conditions: outputs of conditioners for the views, by their names.
            read: fields that conditioners read, as their outputs are not stored; None: any.
        """
        self.name = source.name
        self.length = source.length
        self._source = source
        self._latents = latents
        self._unusable = unusable
        self._conditions = conditions
        self._read = read

    def sample_name(self, number: int, /) -> str:
        """Return the name of a sample in reports."""
        return self._source.sample_name(number)

    def describe(self, number: int, generator: np.random.Generator, /) -> dict[str, Any]:
        """Return the fields of a sample that do not depend on its view."""
        if not isinstance(self._source, SceneSource):
            return self._source.describe(number, generator)
        fields = self._latents.read_fields(number, 0)  # composing a scene takes longer
        return fields | self._list_references(number)

    def show(
        self, number: int, _size: Size | None, generator: np.random.Generator, /
    ) -> dict[str, Any]:
        """Return "moments" or "latents" of one view, its layout, map and mask, and "features"."""
        return self._read_view(number, int(generator.integers(self._views)))

    def read(
        self, number: int, draw: Callable[[DataPurpose], np.random.Generator]
    ) -> dict[str, Any]:
        """Return what `show` and `describe` return, with no generator that is not needed.

        Args:
            number: of the sample.
            draw: returns the generator of a view or a caption.
        """
        view = int(draw(DataPurpose.VIEW).integers(self._views)) if self._views > 1 else 0
        sample = self._read_view(number, view)
        if isinstance(self._source, SceneSource):  # the cache has its other fields
            return sample | self._list_references(number)
        return sample | self._source.describe(number, draw(DataPurpose.CAPTION))

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
        if "image" in fields and self._is_read("image"):
            raise InvalidConfigError(
                "data.cache: a conditioner reads the picture itself ('image'), which samples of a "
                "cache do not have; name the conditioner in data.cache.conditioners, or leave it "
                "or the cache out"
            )
        self._source.check_fields(fields)

    @property
    def _views(self) -> int:
        """The number of views of each sample."""
        return self._latents.places.shape[1]

    def _read_view(self, number: int, view: int) -> dict[str, Any]:
        if number in self._unusable:
            raise UnusableError(self._unusable[number])
        tensors = self._latents.read(number, view)
        sample = self._latents.read_fields(number, view)
        sample |= {
            name: each if each.is_floating_point() else each.numpy()
            for name, each in tensors.items()
        }
        if self._conditions:
            sample["features"] = {
                name: each.read(number, view) for name, each in self._conditions.items()
            }
        return sample

    def _list_references(self, number: int) -> dict[str, Any]:
        """Return the references of a scene, which are drawn again, if training reads them."""
        assert isinstance(self._source, SceneSource)
        return self._source.list_references(number) if self._is_read("references") else {}

    def _is_read(self, field: str) -> bool:
        return self._read is None or field in self._read
