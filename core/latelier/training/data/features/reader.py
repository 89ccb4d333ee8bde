"""Stored features of the samples of a training."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from latelier.contracts.errors import DataError
from latelier.data.pictures import UnusableError
from latelier.training.data.cache.shards import ShardReader
from latelier.training.data.features.values import value_key


class FeatureReader:
    """Reads the features of one conditioner. Data workers may copy it."""

    def __init__(
        self,
        field: str,
        shards: ShardReader,
        places: Mapping[str, tuple[int, int]],
        refused: Mapping[str, str],
    ) -> None:
        """Create the reader.

        Args:
            field: of samples, the conditioner's input.
            shards: of the features.
            places: shard and row of each value, by its key.
            refused: why the conditioner does not take a value, by its key.
        """
        self._field = field
        self._shards = shards
        self._places = places
        self._refused = refused

    def read(self, sample: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the tensors of a sample's row (see `parts`).

        Raises:
            UnusableError: the sample lacks the field, or the conditioner does not take its value.
            DataError: the features are not stored, or a shard is damaged.
        """
        if self._field not in sample:
            raise UnusableError(f"it has no '{self._field}'")
        value = sample[self._field]
        key = value_key(value)
        if key in self._refused:
            raise UnusableError(self._refused[key])
        if key not in self._places:
            raise DataError(
                f"the cache lacks the features of '{self._field}' {value!r}; "
                "'latelier data cache' adds them"
            )
        return self._shards.read(*self._places[key])
