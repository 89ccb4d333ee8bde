"""Precision and recall of features."""

from collections.abc import Sequence
from typing import ClassVar

from latelier.contracts.measures import Figure, Records, Reference
from latelier.evaluation.measures.configs import PrecisionRecallConfig
from latelier.evaluation.measures.estimates import share
from latelier.evaluation.measures.features import FeatureMeasure, take_features
from latelier.metrics.manifold.precision_recall import precision_recall


class PrecisionRecall(FeatureMeasure):
    """How many pictures are like the reference, and how many of the reference are like pictures.

    The intervals take the balls around features as given.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"features", "reference"})

    def __init__(self, config: PrecisionRecallConfig) -> None:
        self._config = config

    def compute(self, records: Records, reference: Reference | None, /) -> Sequence[Figure]:
        """Return "precision" and "recall".

        Raises:
            InvalidInputError: there are no more pictures than neighbours.
        """
        assert reference is not None
        features = take_features(records, reference, self._config.pictures)
        realistic, found = precision_recall(*features, self._config.neighbors)
        return [
            Figure(name="precision", title="Precision", better="higher", **share(realistic)),
            Figure(name="recall", title="Recall", better="higher", **share(found)),
        ]
