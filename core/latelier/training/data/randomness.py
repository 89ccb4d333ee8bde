"""Random numbers of the data: each is a function of (seed, purpose, numbers) alone."""

from enum import IntEnum

import numpy as np


class DataPurpose(IntEnum):
    """What a random number is for. The values never change: they determine the numbers."""

    PATTERN = 1
    EPOCH = 2
    BATCHES = 3
    VIEW = 4
    CAPTION = 5
    REPLACEMENT = 6
    CACHED_VIEW = 7
    STREAM = 8
    CONDITION = 9
    EVALUATION = 10


def data_generator(seed: int, purpose: DataPurpose, *numbers: int) -> np.random.Generator:
    """Return the generator for one purpose and up to three numbers, such as a position."""
    counter = sum((number + 1) << (64 * place) for place, number in enumerate(numbers, start=1))
    # scenes have keys (seed, index): the largest second words are theirs in no run
    key = np.array([seed, 2**64 - 1 - purpose], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))
