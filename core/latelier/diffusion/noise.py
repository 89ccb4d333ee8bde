"""Noise for samplers: every image draws from its own generator.

So image k of a run with seed s is the only image of a run with seed s + k, whatever the batch.
"""

from collections.abc import Sequence
from hashlib import blake2b

import torch
from torch import Tensor

_WORD = 2**32


class PerImageNoise:
    """Draws unit-variance float32 noise (B, *shape), row k from the CPU generator of `seeds[k]`.

    The first draw is the initial noise; the following ones are for the steps, in order.

    Seeds are from 0 to 2^63 - 1 and seeds that differ draw different numbers: see `generator_seed`.
    """

    def __init__(
        self, seeds: Sequence[int], shape: Sequence[int], device: torch.device | str = "cpu"
    ) -> None:
        self._generators = [torch.Generator().manual_seed(generator_seed(seed)) for seed in seeds]
        self._shape = tuple(shape)
        self._device = device

    def initial(self) -> Tensor:
        """Return the next draw (B, *shape)."""
        draws = [torch.randn(self._shape, generator=each) for each in self._generators]
        return torch.stack(draws).to(self._device)

    def __call__(self, _from: float, _to: float, /) -> Tensor:
        """Return the noise for the step between two sigmas, (B, *shape)."""
        return self.initial()


def generator_seed(seed: int) -> int:
    """Return the seed, below 2^32, of the CPU generator of an image.

    torch's CPU generator reads 32 bits of a seed and drops the others. So the high bits of a seed
    are hashed into the low ones. Seeds below 2^32 stay as they are, and those that share their high
    bits, such as s + k in a batch, stay different from each other.
    """
    high, low = divmod(seed, _WORD)
    if high == 0:
        return low
    digest = blake2b(str(high).encode(), digest_size=4).digest()
    return low ^ int.from_bytes(digest, "big")
