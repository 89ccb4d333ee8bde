"""The order of streamed samples."""

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np

from latelier.contracts.errors import DataError
from latelier.data.streaming.http import hide_secrets
from latelier.data.streaming.shards import StreamedSample, stream_shard
from latelier.training.data.randomness import DataPurpose, data_generator

_MAX_SAMPLES = 1024
"""Samples in memory, from which the next one is drawn."""

_MAX_BYTES = 128 * 2**20
"""Largest size of those samples; each data worker holds as many."""

_GROWTH = 4
"""Samples that are read for each drawn one until there are enough, so that the first come soon."""


class ShuffledStream:
    """The samples of shards in random order, again and again. Data workers may copy it.

    Each process reads all shards in an order of its own, so no process must know of the others.
    """

    def __init__(self, shards: Sequence[str], seed: int, is_taken: Callable[[str], bool]) -> None:
        """Create the stream; nothing is read.

        Args:
            shards: URLs.
            seed: of the order.
            is_taken: whether a sample is taken, by its name.
        """
        self._shards = shards
        self._seed = seed
        self._is_taken = is_taken
        self._process = 0
        self._samples = ShuffledSamples(iter(()), np.random.default_rng(0))

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without a connection."""
        closed = ShuffledSamples(iter(()), np.random.default_rng(0))
        return {**vars(self), "_process": 0, "_samples": closed}

    def take(self, number: int) -> StreamedSample:
        """Return another sample.

        Args:
            number: of the draw; that of the first draw of a process decides on its order.

        Raises:
            DataError: a shard cannot be read, or no sample is taken.
        """
        if self._process != os.getpid():  # a data worker has a copy of its parent's connection
            generator = data_generator(self._seed, DataPurpose.STREAM, number)
            self._samples = ShuffledSamples(self._read_epochs(number), generator)
            self._process = os.getpid()
        return self._samples.take()

    def _read_epochs(self, number: int) -> Iterator[StreamedSample]:
        for epoch in count():
            generator = data_generator(self._seed, DataPurpose.STREAM, number, epoch)
            order: list[int] = generator.permutation(len(self._shards)).tolist()
            is_empty = True
            for shard in order:
                for sample in stream_shard(self._shards[shard]):
                    if self._is_taken(sample.name):
                        is_empty = False
                        yield sample
            if is_empty:
                raise DataError(
                    f"{hide_secrets(self._shards[0])}: no samples to train on; expected files such "
                    "as 0001.jpg and 0001.txt, and that not all are held out"
                )


class ShuffledSamples:
    """Endless samples, of which some are held in memory and the next one is drawn among them."""

    def __init__(self, samples: Iterator[StreamedSample], generator: np.random.Generator) -> None:
        self._samples = samples
        self._generator = generator
        self._waiting: list[StreamedSample] = []
        self._bytes = 0

    def take(self) -> StreamedSample:
        """Return the next sample.

        Raises:
            DataError: a shard cannot be read, or no sample is taken.
        """
        for _ in range(_GROWTH):
            if not self._waiting or not self._is_full():
                self._waiting.append(next(self._samples))
                self._bytes += self._waiting[-1].size
        place = int(self._generator.integers(len(self._waiting)))
        self._waiting[place], self._waiting[-1] = self._waiting[-1], self._waiting[place]
        sample = self._waiting.pop()
        self._bytes -= sample.size
        return sample

    def _is_full(self) -> bool:
        return len(self._waiting) >= _MAX_SAMPLES or self._bytes >= _MAX_BYTES
