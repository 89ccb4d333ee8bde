"""Random numbers of training: each is a function of (seed, step, index, purpose) alone.

No generator carries a history, so resuming a run needs no generator state, and a sample draws the
same numbers in every batch, process and device. The numbers come from Philox 4x32-10 (Salmon et
al. 2011, doi:10.1145/2063384.2063405): a bijection of a 128-bit counter under a 64-bit key. The key
is the seed; the counter holds the block of four words, the index, the purpose and the step.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from math import pi, prod

import numpy as np
import torch
from torch import Tensor

_WORD = 0xFFFFFFFF
_CPU = torch.device("cpu")


class Purpose(IntEnum):
    """What a random number is for. The values never change: they determine the numbers."""

    POSTERIOR = 0
    TIME = 1
    NOISE = 2
    DROP_ALL = 3
    LATENT_NOISE = 4
    LATENT_NOISE_LEVEL = 5
    DROP_FIRST = 16
    """Drop-out of conditioner k has purpose DROP_FIRST + k."""
    AUGMENT_FIRST = 4096
    """Augmentation of conditioner k's input has purpose AUGMENT_FIRST + k."""


@dataclass(frozen=True)
class Draws:
    """The random numbers of one step.

    Attributes:
        seed: Seed of the run, below 2^64.
        step: Step, from 0, below 2^32.
        indices: Position of each sample of the batch in the run, below 2^48.
    """

    seed: int
    step: int
    indices: Sequence[int]

    def uniform(self, purpose: int) -> Tensor:
        """Return uniform numbers in [0, 1), float64 (B,), on the CPU."""
        high, low, _, _ = (word[:, 0] for word in self._words(purpose, 1, _CPU))
        # 53 random bits, as many as a float64 has
        return ((high >> 5) * 2**26 + (low >> 6)).double() / 2**53

    def normal(self, purpose: int, shape: Sequence[int], device: torch.device = _CPU) -> Tensor:
        """Return standard normal numbers, float32 (B, *shape), computed on `device`.

        Devices differ in the last bits of the logarithm and the cosine, not in the random words.
        """
        count = prod(shape)
        words = self._words(purpose, -(-count // 4), device)
        u0, u1, u2, u3 = ((word.float() + 0.5) / 2**32 for word in words)
        # Box and Muller: two uniform numbers are the radius and angle of two normal ones
        pairs = [(torch.sqrt(-2 * torch.log(u)), 2 * pi * v) for u, v in ((u0, u1), (u2, u3))]
        normals = [radius * trig for radius, angle in pairs for trig in (angle.cos(), angle.sin())]
        return torch.stack(normals, dim=-1).flatten(1)[:, :count].reshape(-1, *shape)

    def _words(self, purpose: int, blocks: int, device: torch.device) -> list[Tensor]:
        """Return four tensors of random 32-bit words, int64 (B, blocks)."""
        index = torch.tensor(self.indices, dtype=torch.int64, device=device)[:, None]
        block = torch.arange(blocks, device=device).expand(len(self.indices), blocks)
        high = (index >> 32) | (purpose << 16)
        counter = [block, index & _WORD, high, torch.full_like(index, self.step)]
        return philox(counter, (self.seed & _WORD, self.seed >> 32))


def philox(counter: Sequence[Tensor], key: tuple[int, int]) -> list[Tensor]:
    """Return the four words that Philox 4x32-10 makes of a counter of four.

    Words are 32-bit numbers in int64 tensors, which broadcast. A product of two words may pass the
    range of int64; it wraps, and its 64 bits are still those of the unsigned product.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p2 = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1 = ((p2 >> 32) & _WORD) ^ c1 ^ k0, p2 & _WORD
        c2, c3 = ((p0 >> 32) & _WORD) ^ c3 ^ k1, p0 & _WORD
        k0, k1 = (k0 + 0x9E3779B9) & _WORD, (k1 + 0xBB67AE85) & _WORD
    return [c0, c1, c2, c3]


def make_generator(seed: int, step: int, index: int, purpose: int) -> np.random.Generator:
    """Return a numpy generator of one sample's numbers for one purpose."""
    counter = (index << 128) | (purpose << 192)
    return np.random.Generator(np.random.Philox(key=(step << 64) | seed, counter=counter))


@contextmanager
def seed_torch(seed: int, step: int, device: torch.device, part: int = 0) -> Iterator[None]:
    """Seed torch's global generators by (seed, step, part) while inside, and restore them.

    Modules such as drop-out layers and weight initialisers use the global generators. `part` is
    the number of a micro-batch of the step, counted over all processes.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        derived = np.random.SeedSequence([seed, step, part]).generate_state(1, np.uint64)[0]
        torch.manual_seed(int(derived))
        yield
