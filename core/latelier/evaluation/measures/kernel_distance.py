"""The kernel distance of features: KID, if they are of the Inception of FID."""

from collections.abc import Sequence
from typing import ClassVar

from latelier.contracts.measures import Figure, Records, Reference
from latelier.evaluation.measures.configs import KernelDistanceConfig
from latelier.evaluation.measures.features import FeatureMeasure, name_of_features
from latelier.metrics.kernel_distance import kernel_distance
from latelier.metrics.wilson import NORMAL_QUANTILE

_IMPOSSIBLE = (
    ". Its interval is below 0, where no distance of two distributions lies: the pictures are not "
    "independent of the reference or of each other, such as copies and variants"
)


class KernelDistance(FeatureMeasure):
    """How far the distribution of the pictures is from that of the reference, without bias."""

    needs: ClassVar[frozenset[str]] = frozenset({"features", "reference"})

    def __init__(self, config: KernelDistanceConfig) -> None:
        self._config = config

    def compute(self, records: Records, reference: Reference | None, /) -> Sequence[Figure]:
        """Return the distance.

        Raises:
            InvalidInputError: there are fewer than two pictures.
        """
        assert reference is not None
        config = self._config
        features = records.column("features")
        size = min(config.subset_size, len(features), len(reference.features))
        measured = kernel_distance(features, reference.features, config.subsets, size, config.seed)
        half = NORMAL_QUANTILE * measured.error
        low, high = measured.value - half, measured.value + half
        return [
            Figure(
                name="kernel_distance",
                title=name_of_features(records.network, "KID", "Kernel distance"),
                value=measured.value,
                better="lower",
                low=low,
                high=high,
                count=len(features),
                note=f"kernel_distance: standard deviation {measured.deviation:.2g} of "
                f"{config.subsets} subsets of {size} pictures{_IMPOSSIBLE if high < 0 else ''}",
            )
        ]
