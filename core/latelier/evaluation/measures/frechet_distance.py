"""The Frechet distance of features: FID, if they are of its Inception."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from latelier.contracts.measures import Figure, Records, Reference
from latelier.evaluation.measures.configs import FrechetDistanceConfig
from latelier.evaluation.measures.features import FeatureMeasure, name_of_features
from latelier.metrics.feature_sums import FeatureSums
from latelier.metrics.frechet import frechet_distance_from
from latelier.metrics.intervals import jackknife_interval


class FrechetDistance(FeatureMeasure):
    """How far the distribution of the pictures is from that of the reference.

    The interval is of the expected distance of as many pictures. The bias depends on their number,
    and is in the value and in the interval.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"features", "reference"})

    def __init__(self, config: FrechetDistanceConfig) -> None:
        self._groups = config.groups

    def compute(self, records: Records, reference: Reference | None, /) -> Sequence[Figure]:
        """Return the distance.

        Raises:
            InvalidInputError: there are fewer than two pictures.
        """
        assert reference is not None
        statistics = reference.statistics
        distance_to = frechet_distance_from(statistics)
        sums = _sum_features(records, torch.ones(records.count, dtype=torch.bool))
        distance = distance_to(sums.statistics())
        low, high = None, None
        if records.count >= 2 * self._groups:
            left_out = [
                distance_to((sums - _sum_features(records, group)).statistics())
                for group in self._draw_groups(records.count)
            ]
            low, high = jackknife_interval(distance, left_out)
        return [
            Figure(
                name="frechet_distance",
                title=name_of_features(records.network, "FID", "Fréchet distance"),
                value=distance,
                better="lower",
                low=None if low is None else max(0.0, low),
                high=high,
                note=_note_bias(records.count, reference.count, len(statistics.mean)),
                count=records.count,
            )
        ]

    def _draw_groups(self, count: int) -> list[Tensor]:
        """Return which pictures each group has, bool (N,): random, whatever their order."""
        order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
        return [order % self._groups == group for group in range(self._groups)]


def _sum_features(records: Records, chosen: Tensor) -> FeatureSums:
    """Return the sums of the features of some pictures, bool (N,)."""
    sums: FeatureSums | None = None
    first = 0
    for (features,) in records.chunks("features"):
        rows = features[chosen[first : first + len(features)]]
        first += len(features)
        if len(rows):
            part = FeatureSums.from_features(rows)
            sums = part if sums is None else sums + part
    assert sums is not None
    return sums


def _note_bias(pictures: int, references: int, width: int) -> str:
    few = [
        f"{count:,} {what}"
        for count, what in ((pictures, "pictures"), (references, "reference pictures"))
        if count <= width
    ]
    if not few:
        return ""
    return (
        f"{' and '.join(few)} are too few for {width:,} features: the distance is biased upward, "
        "and comparable with those of as many pictures alone. kernel_distance is not biased"
    )
