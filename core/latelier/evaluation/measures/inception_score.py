"""The Inception Score, or that of another classifier."""

from collections.abc import Sequence
from statistics import fmean
from typing import ClassVar

from latelier.contracts.measures import Figure, Records, Reference
from latelier.evaluation.measures.configs import InceptionScoreConfig
from latelier.evaluation.measures.features import FeatureMeasure, name_of_features
from latelier.metrics.inception_score import inception_scores
from latelier.metrics.intervals import mean_interval

_FEWEST = 20
"""Pictures of a split. The score of N pictures is N at most, and that of a few says nothing."""


class InceptionScore(FeatureMeasure):
    """How sure a classifier is of each picture, and how many classes it finds."""

    needs: ClassVar[frozenset[str]] = frozenset({"logits"})

    def __init__(self, config: InceptionScoreConfig) -> None:
        self._config = config

    def compute(self, records: Records, reference: Reference | None, /) -> Sequence[Figure]:  # noqa: ARG002
        """Return the score."""
        splits = max(1, min(self._config.splits, records.count // _FEWEST))
        logits = (part for (part,) in records.chunks("logits"))
        scores = inception_scores(logits, records.count, splits, self._config.seed)
        low, high = mean_interval(scores) if splits > 5 else (None, None)
        return [
            Figure(
                name="inception_score",
                title=name_of_features(records.network, "IS", "Classifier score"),
                value=fmean(scores),
                better="higher",
                low=low,
                high=high,
                note=f"inception_score: mean of {splits} split{'s' * (splits > 1)} of "
                f"{records.count // splits:,} pictures; it is biased downward for few, and the "
                "score of N pictures is N at most",
                count=records.count,
            )
        ]
