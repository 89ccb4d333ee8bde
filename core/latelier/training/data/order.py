"""The order of samples: which sample of which source stands at a position of the training.

A position is a number from 0: step times batch size, plus the row in the batch. There is no state:
the sample of each position is computed from the seed, so a resumed training goes on exactly.
"""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from latelier.training.data.randomness import DataPurpose, data_generator

_PATTERN = 4096
"""Length of the pattern in which sources alternate; a weight is rounded to a multiple of 1/4096."""


V = TypeVar("V")


class RecentValues(Generic[V]):
    """The last values of a function; unlike functools.lru_cache, data workers can copy it."""

    def __init__(self, compute: Callable[..., V], size: int) -> None:
        self._compute = compute
        self._size = size
        self._values: dict[tuple[int, ...], V] = {}

    def get(self, *arguments: int) -> V:
        """Return the value for some arguments."""
        if arguments not in self._values:
            if len(self._values) >= self._size:
                del self._values[next(iter(self._values))]
            self._values[arguments] = self._compute(*arguments)
        return self._values[arguments]


class Mixture:
    """Draws from several sources. Each source is read in epochs: every sample once, shuffled.

    A source without a length gives its samples in order.
    """

    def __init__(
        self, lengths: Sequence[int | None], weights: Sequence[float] | None, seed: int
    ) -> None:
        """Create the mixture.

        Args:
            lengths: number of samples of each source; None for an endless one.
            weights: relative frequencies; None: the numbers of samples.
            seed: of the order.
        """
        self._lengths = lengths
        self._seed = seed
        shares = weights or [float(length or 1) for length in lengths]
        self._pattern = _make_pattern(shares, seed)
        each = [self._pattern == source for source in range(len(lengths))]
        self._counts = [int(mask.sum()) for mask in each]
        self._ranks = np.zeros(len(self._pattern), dtype=np.int64)
        for mask in each:
            self._ranks[mask] = np.arange(mask.sum())
        self._permutations = RecentValues(self._make_permutation, 2 * len(lengths))

    def locate(self, draw: int) -> tuple[int, int]:
        """Return the source and the number of the sample in it, of a draw from 0."""
        round_, place = divmod(draw, len(self._pattern))
        source = int(self._pattern[place])
        turn = round_ * self._counts[source] + int(self._ranks[place])
        length = self._lengths[source]
        if length is None:
            return source, turn
        epoch, place = divmod(turn, length)
        return source, int(self._permutations.get(source, epoch)[place])

    def locate_all(self, draws: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the sources and the numbers of many draws (N,), each (N,); see `locate`."""
        rounds, places = np.divmod(draws, len(self._pattern))
        sources = self._pattern[places]
        numbers = rounds * np.array(self._counts)[sources] + self._ranks[places]
        for source, length in enumerate(self._lengths):
            if length is None:
                continue
            rows = np.flatnonzero(sources == source)
            epochs, places = np.divmod(numbers[rows], length)
            for epoch in np.unique(epochs).tolist():
                inside = epochs == epoch
                order = self._permutations.get(source, epoch)
                numbers[rows[inside]] = order[places[inside]]
        return sources, numbers

    def _make_permutation(self, source: int, epoch: int) -> NDArray[np.uint32]:
        generator = data_generator(self._seed, DataPurpose.EPOCH, source, epoch)
        order = np.arange(self._lengths[source] or 0, dtype=np.uint32)
        generator.shuffle(order)
        return order


def _make_pattern(shares: Sequence[float], seed: int) -> NDArray[np.int64]:
    """Return the sources in a shuffled order that repeats, each at least once."""
    if len(shares) == 1:
        return np.zeros(1, dtype=np.int64)
    exact = np.array(shares) / sum(shares) * _PATTERN
    counts = np.maximum(np.floor(exact), 1).astype(np.int64)
    order = np.argsort(counts - exact, kind="stable")  # the largest remainder first
    for source in order[: max(_PATTERN - counts.sum(), 0)]:
        counts[source] += 1
    pattern = np.repeat(np.arange(len(shares)), counts)
    data_generator(seed, DataPurpose.PATTERN).shuffle(pattern)
    return pattern
