"""Aspect-ratio buckets: the samples of a batch have one size, and none is dropped."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from latelier.training.configs.data import BucketConfig
from latelier.training.data.order import Mixture, RecentValues
from latelier.training.data.randomness import DataPurpose, data_generator
from latelier.training.data.views import Size

Batches = NDArray[np.int64]
"""Draws of batches, (batches, rows)."""

Fill = Literal["nearest", "repeat"]

_LEAST_BATCHES = 32
"""Batches of a round for each bucket, so that few samples change their bucket."""


def bucket_sizes(area: int, config: BucketConfig) -> list[Size]:
    """Return the sizes (width, height) of all buckets, from the tallest to the widest.

    Sides are multiples of `config.step`, areas are as near to `area` as that allows.
    """
    step, sizes = config.step, set()
    for units in range(1, int((area * config.max_ratio) ** 0.5 / step) + 2):
        other = max(round(area / (units * step) / step), 1)
        sizes |= {(units * step, other * step), (other * step, units * step)}
    within = [(w, h) for w, h in sizes if max(w, h) <= config.max_ratio * min(w, h)]
    side = max(round(area**0.5 / step), 1) * step
    return sorted(within or [(side, side)], key=lambda size: (size[0] / size[1], size))


def nearest_buckets(pictures: NDArray[np.int32], sizes: Sequence[Size]) -> NDArray[np.int64]:
    """Return the bucket of each picture (N, 2: width, height): that of the nearest ratio."""
    ratios = np.log(pictures[:, 0] / pictures[:, 1])
    centers = np.log([width / height for width, height in sizes])
    return np.abs(ratios[:, None] - centers[None]).argmin(axis=1)


@dataclass(frozen=True)
class Buckets:
    """The buckets of all samples.

    Attributes:
        sizes: Of the buckets, in the order of their aspect ratios.
        of_samples: Bucket of each sample, (N,) for each source.
    """

    sizes: Sequence[Size]
    of_samples: Sequence[NDArray[np.int64]]

    def size_of(self, source: int, number: int) -> Size:
        """Return the size of a sample's bucket."""
        return self.sizes[int(self.of_samples[source][number])]


class BucketOrder:
    """Sorts the draws of a mixture into batches of one size each.

    The draws are taken in rounds. In a round, each bucket gives its full batches; what remains is
    put together in the order of aspect ratios, so that each draw of a round has exactly one place,
    and a round has the same length as its draws.
    """

    def __init__(
        self, mixture: Mixture, buckets: Buckets, batch_size: int, seed: int, fill: Fill
    ) -> None:
        """Create the order.

        Args:
            mixture: of the draws.
            buckets: of the samples.
            batch_size: samples of a batch.
            seed: of the order of batches.
            fill: what becomes of a batch of several buckets: nearest, all samples take the size of
                the middle one; repeat, all are draws of one bucket, which is drawn among them.
        """
        self._mixture = mixture
        self._buckets = buckets
        self._batch_size = batch_size
        self._seed = seed
        self._fill = _fill_from_nearest if fill == "nearest" else _fill_by_repeats
        samples = sum(map(len, buckets.of_samples))
        self._batches = max(-(-samples // batch_size), _LEAST_BATCHES * len(buckets.sizes))
        self._rounds = RecentValues(self._make_round, 2)

    def locate(self, position: int) -> tuple[int, Size]:
        """Return the draw at a position, and the size of its batch."""
        number, place = divmod(position, self._batches * self._batch_size)
        draws, buckets = self._rounds.get(number)
        batch, row = divmod(place, self._batch_size)
        return int(draws[batch, row]), self._buckets.sizes[int(buckets[batch])]

    @property
    def has_stored_sizes(self) -> bool:
        """Whether a sample has the size of its own bucket in every batch, as in a cache."""
        return self._fill is _fill_by_repeats

    def list_replacements(
        self, source: int, number: int, size: Size, generator: np.random.Generator
    ) -> Iterator[tuple[int, int]]:
        """Yield all samples that may replace one, as sources and numbers, in order.

        First come those of its bucket and source, then those of its bucket. If none of them can be
        used, so that no row of the batch can have its size, those of the nearest bucket follow.
        """
        sizes = self._buckets.sizes
        others = [each for each in range(len(self._buckets.of_samples)) if each != source]
        for bucket in _sort_by_ratio(sizes, size):
            for place in (source, *others):
                members = np.flatnonzero(self._buckets.of_samples[place] == bucket)
                if place == source:
                    members = members[members != number]
                yield from ((place, each) for each in generator.permutation(members).tolist())

    def _make_round(self, number: int) -> tuple[Batches, NDArray[np.int64]]:
        """Return the draws of each batch of a round, and the bucket of each batch."""
        rows = self._batch_size
        draws = number * self._batches * rows + np.arange(self._batches * rows)
        buckets = self._buckets_of(draws)
        full, rest = [], []
        for bucket in range(len(self._buckets.sizes)):
            members = draws[buckets == bucket]
            whole = len(members) // rows * rows
            full.append(members[:whole])
            rest.append(members[whole:])
        batches = np.concatenate([*full, *rest]).reshape(-1, rows)
        generator = data_generator(self._seed, DataPurpose.BATCHES, number)
        batches = generator.permutation(batches)
        return self._fill(batches, buckets[batches - draws[0]], generator)

    def _buckets_of(self, draws: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the bucket of the sample of each draw."""
        sources, numbers = self._mixture.locate_all(draws)
        buckets = np.empty(len(draws), dtype=np.int64)
        for source, of_samples in enumerate(self._buckets.of_samples):
            rows = sources == source
            buckets[rows] = of_samples[numbers[rows]]
        return buckets


def _sort_by_ratio(sizes: Sequence[Size], size: Size) -> list[int]:
    """Return the numbers of all sizes, those with an aspect ratio near to that of `size` first."""
    ratios = np.log([width / height for width, height in sizes])
    return np.abs(ratios - np.log(size[0] / size[1])).argsort(kind="stable").tolist()


def _fill_from_nearest(
    batches: Batches, buckets: NDArray[np.int64], _generator: np.random.Generator
) -> tuple[Batches, NDArray[np.int64]]:
    """Give a batch of several buckets the size of its middle sample."""
    return batches, np.sort(buckets, axis=1)[:, buckets.shape[1] // 2]


def _fill_by_repeats(
    batches: Batches, buckets: NDArray[np.int64], generator: np.random.Generator
) -> tuple[Batches, NDArray[np.int64]]:
    """Draw one bucket of each batch, and repeat its samples in place of the others.

    The chance of a bucket is its share of the batch, so on average each sample is as frequent.
    """
    rows = np.arange(len(batches))
    chosen = buckets[rows, generator.integers(buckets.shape[1], size=len(batches))]
    filled = batches.copy()
    for row in np.flatnonzero((buckets != chosen[:, None]).any(axis=1)):
        own = batches[row][buckets[row] == chosen[row]]
        filled[row] = np.resize(own, batches.shape[1])
    return filled, chosen
