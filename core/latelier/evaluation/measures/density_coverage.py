"""Density and coverage of features."""

from collections.abc import Sequence
from typing import ClassVar

from latelier.contracts.measures import Figure, Records, Reference
from latelier.evaluation.measures.configs import DensityCoverageConfig
from latelier.evaluation.measures.estimates import mean, share
from latelier.evaluation.measures.features import FeatureMeasure, take_features
from latelier.metrics.manifold.density_coverage import density_coverage


class DensityCoverage(FeatureMeasure):
    """How densely pictures lie in the reference, and how much of it has pictures near.

    The intervals take the balls around features as given.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"features", "reference"})

    def __init__(self, config: DensityCoverageConfig) -> None:
        self._config = config

    def compute(self, records: Records, reference: Reference | None, /) -> Sequence[Figure]:
        """Return "density" and "coverage".

        Raises:
            InvalidInputError: there are no more pictures than neighbours.
        """
        assert reference is not None
        features = take_features(records, reference, self._config.pictures)
        density, covered = density_coverage(*features, self._config.neighbors)
        return [
            Figure(name="density", title="Density", better="higher", **mean(density)),
            Figure(name="coverage", title="Coverage", better="higher", **share(covered)),
        ]
