"""Aspect-ratio buckets: the samples of a batch have one size, and none is dropped."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latelier.training.configs.data import BucketConfig
from latelier.training.data.order import Mixture, RecentValues
from latelier.training.data.randomness import DataPurpose, data_generator

Size = tuple[int, int]

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


class BucketOrder:
    """Sorts the draws of a mixture into batches of one size each.

    The draws are taken in rounds. In a round, each bucket gives its full batches; what remains is
    put together in the order of aspect ratios, so a short batch is filled from the nearest ratio.
    So each draw of a round has exactly one place, and a round has the same length as its draws.
    """

    def __init__(
        self,
        mixture: Mixture,
        buckets: Sequence[NDArray[np.int64]],
        sizes: Sequence[Size],
        batch_size: int,
        seed: int,
    ) -> None:
        """Create the order.

        Args:
            mixture: of the draws.
            buckets: of the samples of each source.
            sizes: of the buckets, in the order of their aspect ratios.
            batch_size: samples of a batch.
            seed: of the order of batches.
        """
        self._mixture = mixture
        self._buckets = buckets
        self._sizes = sizes
        self._batch_size = batch_size
        self._seed = seed
        samples = sum(map(len, buckets))
        self._batches = max(-(-samples // batch_size), _LEAST_BATCHES * len(sizes))
        self._rounds = RecentValues(self._make_round, 2)

    def locate(self, position: int) -> tuple[int, Size]:
        """Return the draw at a position, and the size of its batch."""
        number, place = divmod(position, self._batches * self._batch_size)
        draws, buckets = self._rounds.get(number)
        batch = place // self._batch_size
        return int(draws[place]), self._sizes[int(buckets[batch])]

    def _make_round(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the draws of a round in order, and the bucket of each batch."""
        rows = self._batch_size
        draws = number * self._batches * rows + np.arange(self._batches * rows)
        located = (self._mixture.locate(int(draw)) for draw in draws)
        buckets = np.array([self._buckets[source][number] for source, number in located])
        full, rest = [], []
        for bucket in range(len(self._sizes)):
            members = draws[buckets == bucket]
            whole = len(members) // rows * rows
            full += list(members[:whole].reshape(-1, rows))
            rest.append(members[whole:])
        remaining = np.concatenate(rest)
        batches = np.array([*full, *remaining.reshape(-1, rows)]).reshape(-1, rows)
        order = data_generator(self._seed, DataPurpose.BATCHES, number).permutation(len(batches))
        batches = batches[order]
        middle = buckets[batches - draws[0]]
        middle.sort(axis=1)
        return batches.reshape(-1), middle[:, rows // 2]
