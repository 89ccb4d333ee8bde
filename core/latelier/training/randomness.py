"""Random numbers of training: each is a function of (seed, step, sample index, purpose) alone.

No generator carries a history, so resuming a run needs no generator state. Philox is a keyed
counter (Salmon et al. 2011, doi:10.1145/2063384.2063405): the key holds seed and step, the upper
words of the counter hold index and purpose.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor


class Purpose(IntEnum):
    """What a random number is for. The values never change: they determine the numbers."""

    POSTERIOR = 0
    TIME = 1
    NOISE = 2
    DROP_ALL = 3
    DROP_FIRST = 16
    """Drop-out of conditioner k has purpose DROP_FIRST + k."""
    AUGMENT_FIRST = 4096
    """Augmentation of conditioner k's input has purpose AUGMENT_FIRST + k."""


@dataclass(frozen=True)
class Draws:
    """The random numbers of one step.

    Attributes:
        seed: Seed of the run.
        step: Step, from 0.
        indices: Index of each sample of the batch in the data set.
    """

    seed: int
    step: int
    indices: Sequence[int]

    def uniform(self, purpose: int) -> Tensor:
        """Return uniform numbers in [0, 1), float64 (B,)."""
        rows = [
            make_generator(self.seed, self.step, index, purpose).random() for index in self.indices
        ]
        return torch.tensor(rows, dtype=torch.float64)

    def normal(self, purpose: int, shape: Sequence[int]) -> Tensor:
        """Return standard normal numbers, float32 (B, *shape)."""
        rows = np.empty((len(self.indices), *shape), dtype=np.float32)
        for row, index in zip(rows, self.indices, strict=True):
            generator = make_generator(self.seed, self.step, index, purpose)
            generator.standard_normal(dtype=np.float32, out=row)
        return torch.from_numpy(rows)


def make_generator(seed: int, step: int, index: int, purpose: int) -> np.random.Generator:
    """Return the generator of one sample's numbers for one purpose."""
    counter = (index << 128) | (purpose << 192)
    return np.random.Generator(np.random.Philox(key=(step << 64) | seed, counter=counter))


@contextmanager
def seed_torch(seed: int, step: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators by (seed, step) while inside, and restore them.

    Modules such as drop-out layers and weight initialisers use the global generators.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        derived = np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0]
        torch.manual_seed(int(derived))
        yield
