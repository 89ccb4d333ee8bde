"""Noise for samplers: every image draws from a generator of its own.

So image k of a run with seed s is the only image of a run with seed s + k, whatever the batch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


class PerImageNoise:
    """Draws unit-variance float32 noise (B, *shape), row k from the CPU generator of `seeds[k]`.

    The first draw is the initial noise; the following ones are for the steps, in order.
    """

    def __init__(
        self, seeds: Sequence[int], shape: Sequence[int], device: torch.device | str = "cpu"
    ) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._shape = tuple(shape)
        self._device = device

    def initial(self) -> Tensor:
        """Return the next draw (B, *shape)."""
        draws = [torch.randn(self._shape, generator=each) for each in self._generators]
        return torch.stack(draws).to(self._device)

    def __call__(self, sigma_from: float, sigma_to: float, /) -> Tensor:  # noqa: ARG002
        """Return the noise for the step between two sigmas, (B, *shape)."""
        return self.initial()
