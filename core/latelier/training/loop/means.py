"""Means of losses over micro-batches, processes and steps."""

from collections.abc import Mapping, Sequence
from math import isnan

import torch
from lightning_fabric import Fabric
from torch import Tensor

from latelier.training.devices.ranks import sum_over_ranks


class TermMeans:
    """Means of named scalars. NaN says that a term has no value; a loss of NaN is unusable.

    A loss that is NaN counts as infinity, so that it makes the mean unusable in every process.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, Tensor] = {}

    @classmethod
    def of(cls, parts: Sequence[Mapping[str, Tensor]], fabric: Fabric) -> dict[str, Tensor]:
        """Return the means over micro-batches and processes; NaN where no value was added."""
        means = cls()
        for part in parts:
            means.add(part)
        means._add_ranks(fabric)
        return {name: total / means._counts[name] for name, total in means._sums.items()}

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Add one value of each term."""
        for name, value in terms.items():
            replacement = torch.inf if name == "loss" else 0.0
            known = value.nan_to_num(replacement, torch.inf, -torch.inf)
            self._sums[name] = self._sums.get(name, 0) + known
            self._counts[name] = self._counts.get(name, 0) + (~value.isnan() | (name == "loss"))

    def _add_ranks(self, fabric: Fabric) -> None:
        """Add the values of the other processes, which have the same terms."""
        if fabric.world_size == 1:
            return
        stacked = torch.stack([*self._sums.values(), *self._counts.values()]).float()
        sums, counts = sum_over_ranks(fabric, stacked).chunk(2)
        self._sums = dict(zip(self._sums, sums.unbind(), strict=True))
        self._counts = dict(zip(self._counts, counts.unbind(), strict=True))

    def values(self) -> dict[str, float]:
        """Return the means of the terms that have a value."""
        means = {name: (total / self._counts[name]).item() for name, total in self._sums.items()}
        return {name: mean for name, mean in means.items() if not isnan(mean)}
