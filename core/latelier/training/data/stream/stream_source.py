"""Sources of streamed samples: to train on, and held out."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import islice
from typing import Any

import numpy as np

from latelier.contracts.errors import DataError
from latelier.data.converters.shards import expand_shards
from latelier.data.pictures import UnusableError
from latelier.data.streaming.http import hide_secrets
from latelier.data.streaming.shards import StreamedSample, stream_shard
from latelier.training.configs.data import DataConfig
from latelier.training.data.source import HashOf
from latelier.training.data.split import held_out_place
from latelier.training.data.stream.order import ShuffledStream
from latelier.training.data.stream.sample import StreamedRecord, read_record
from latelier.training.data.views import Size

_FIRST = 16
"""Samples at the beginning of the first shard that show which fields there are."""


def open_stream(url: str, config: DataConfig) -> "StreamSource":
    """Return the samples to train on of a pattern of shards.

    Raises:
        DataError: the first shard cannot be read.
    """
    shards = expand_shards(url)
    fields = _list_first_fields(shards[0], config)
    held_out = config.held_out
    share = held_out.share if held_out.path is None else 0.0
    is_trained = partial(_is_trained, share=share, seed=held_out.seed)
    stream = ShuffledStream(shards, config.seed, is_trained)
    return StreamSource(hide_secrets(url), stream.take, None, fields, config)


def open_held_out_stream(url: str, config: DataConfig, count: int) -> "StreamSource":
    """Return the first `count` held-out samples of a pattern of shards; they stay in memory.

    Raises:
        DataError: a shard cannot be read, or no sample is held out.
    """
    shards = tuple(expand_shards(url))
    fields = _list_first_fields(shards[0], config)
    samples = _read_held_out(shards, config.held_out.share, config.held_out.seed, count)
    return StreamSource(hide_secrets(url), samples.__getitem__, len(samples), fields, config)


class StreamSource:
    """Streamed samples. Those to train on have no numbers: each call gives another one."""

    def __init__(
        self,
        name: str,
        take: Callable[[int], StreamedSample],
        length: int | None,
        fields: frozenset[str],
        config: DataConfig,
    ) -> None:
        """Create the source.

        Args:
            name: what it is read from.
            take: returns the sample for a number.
            length: number of samples; None: endless.
            fields: that the first samples have.
            config: of the data.
        """
        self.name = name
        self.length = length
        self._take = take
        self._fields = fields
        self._config = config
        self._last: tuple[int, str, StreamedRecord | None] = (-1, "", None)

    def sample_name(self, number: int, /) -> str:
        """Return the name of the sample that was given last; others have none yet."""
        last, name, _ = self._last
        return name if last == number else f"draw {number}"

    def describe(self, number: int, generator: np.random.Generator, /) -> dict[str, Any]:
        """Return the fields of the sample that was shown last, or of the next one."""
        last, _, record = self._last
        if last != number or record is None:
            record = self._read(number)
        return record.describe(self._config, generator)

    def show(
        self, number: int, size: Size | None, generator: np.random.Generator, /
    ) -> dict[str, Any]:
        """Return the fields of the next sample that depend on its view."""
        return self._read(number).show(size, self._config, generator)

    def list_values(self, _number: int, _field: str, /) -> Sequence[Any]:
        """Return nothing: no value is known before the training."""
        return ()

    def content_key(self, number: int, _hash_of: HashOf, /) -> str:
        """Raise: no sample is known before the training.

        Raises:
            UnusableError: always.
        """
        raise UnusableError(f"{self.sample_name(number)} is streamed")

    def list_fields(self) -> frozenset[str]:
        """Return the fields that the first samples have."""
        return self._fields

    def check_fields(self, fields: Mapping[str, int | None], /) -> None:
        """Check that the first samples have some fields.

        Raises:
            DataError: they lack one.
        """
        for field in fields:
            if field not in self._fields:
                raise DataError(f"{self.name}: the first {_FIRST} samples have no '{field}'")

    def _read(self, number: int) -> StreamedRecord:
        sample = self._take(number)
        self._last = (number, sample.name, None)
        record = read_record(sample)
        self._last = (number, sample.name, record)
        return record


def _is_trained(name: str, share: float, seed: int) -> bool:
    return held_out_place(name, seed) >= share


@lru_cache(maxsize=4)  # each validation asks for them
def _read_held_out(
    shards: Sequence[str], share: float, seed: int, count: int
) -> tuple[StreamedSample, ...]:
    samples = (sample for shard in shards for sample in stream_shard(shard))
    held_out = (sample for sample in samples if not _is_trained(sample.name, share, seed))
    found = tuple(islice(held_out, count))
    if not found:
        raise DataError(
            f"{hide_secrets(shards[0])}: no sample is held out; expected more samples, a larger "
            "held_out.share, or a data set in held_out.path"
        )
    return found


@lru_cache(maxsize=16)
def _read_first(shard: str) -> tuple[StreamedSample, ...]:
    return tuple(islice(stream_shard(shard, waits=()), _FIRST))


def _list_first_fields(shard: str, config: DataConfig) -> frozenset[str]:
    """Return the fields of the first samples that can be used.

    Raises:
        DataError: the shard cannot be read, or none of them can be used.
    """
    fields, reasons = set[str](), []
    for sample in _read_first(shard):
        generator = np.random.default_rng(0)
        try:
            record = read_record(sample)
            fields |= record.show(None, config, generator).keys()
            fields |= record.describe(config, generator).keys() | {"index"}
        except UnusableError as error:
            reasons.append(f"{sample.name}: {error}")
    if not fields:
        reason = reasons[0] if reasons else "it has no samples"
        raise DataError(f"{hide_secrets(shard)}: none of its first samples can be used: {reason}")
    return frozenset(fields)
