"""Random numbers of training: each is a function of (seed, step, sample index, purpose) alone.

No generator's history is involved, so that resuming a run is seeking in it. Philox is a keyed
counter (Salmon et al. 2011, doi:10.1145/2063384.2063405): the key holds seed and step, the counter
holds index and purpose in its upper words and is run through its lower ones.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor


class Purpose(IntEnum):
    """What a random number is for. Each purpose has numbers of its own; values never change."""

    POSTERIOR = 0
    TIME = 1
    NOISE = 2
    DROP_ALL = 3
    DROP_FIRST = 16
    """Drop-out of the k-th conditioner is for purpose DROP_FIRST + k."""
    AUGMENT_FIRST = 4096
    """Augmentation of the k-th conditioner's input is for purpose AUGMENT_FIRST + k."""


@dataclass(frozen=True)
class Draws:
    """The random numbers of one step, row by row for the samples of its batch."""

    seed: int
    step: int
    indices: Sequence[int]

    def uniform(self, purpose: int) -> Tensor:
        """Return numbers in [0, 1), float64 (B,)."""
        rows = [self._generator(index, purpose).random() for index in self.indices]
        return torch.tensor(rows, dtype=torch.float64)

    def normal(self, purpose: int, shape: Sequence[int]) -> Tensor:
        """Return unit-variance float32 noise (B, *shape)."""
        rows = np.empty((len(self.indices), *shape), dtype=np.float32)
        for row, index in zip(rows, self.indices, strict=True):
            self._generator(index, purpose).standard_normal(dtype=np.float32, out=row)
        return torch.from_numpy(rows)

    def _generator(self, index: int, purpose: int) -> np.random.Generator:
        return generator(self.seed, self.step, index, purpose)


def generator(seed: int, step: int, index: int, purpose: int) -> np.random.Generator:
    """Return what draws the numbers of one sample for one purpose."""
    counter = (index << 128) | (purpose << 192)
    return np.random.Generator(np.random.Philox(key=(step << 64) | seed, counter=counter))


@contextmanager
def seeded(seed: int, step: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global state by (seed, step) while inside, and put it back.

    This is for modules that draw by themselves, such as drop-out layers.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        derived = np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0]
        torch.manual_seed(int(derived))
        yield
