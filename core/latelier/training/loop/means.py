"""Means of losses over micro-batches, processes and steps."""

from collections.abc import Mapping

import torch
from lightning_fabric import Fabric
from torch import Tensor

from latelier.training.loop.distributed import sum_over_ranks


class TermMeans:
    """Means of named scalars; NaN says that there is no value, and is left out."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, Tensor] = {}

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Add one value of each term."""
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0) + value.nan_to_num(0.0)
            self._counts[name] = self._counts.get(name, 0) + ~value.isnan()

    def add_ranks(self, fabric: Fabric) -> None:
        """Add the values of the other processes, which have the same terms."""
        if fabric.world_size == 1 or not self._sums:
            return
        stacked = torch.stack([*self._sums.values(), *self._counts.values()]).float()
        sums, counts = sum_over_ranks(fabric, stacked).chunk(2)
        self._sums = dict(zip(self._sums, sums.unbind(), strict=True))
        self._counts = dict(zip(self._counts, counts.unbind(), strict=True))

    def tensors(self) -> dict[str, Tensor]:
        """Return the mean of each term; NaN where no value was added."""
        return {name: total / self._counts[name] for name, total in self._sums.items()}

    def values(self) -> dict[str, float]:
        """Return the means of the terms that have a value."""
        means = {name: mean.item() for name, mean in self.tensors().items()}
        return {name: mean for name, mean in means.items() if mean == mean}  # noqa: PLR0124 - NaN
