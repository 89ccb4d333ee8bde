"""What measures of features have in common."""

from collections.abc import Mapping

import torch
from torch import Tensor

from latelier.contracts.measures import EvaluatedPictures, Records, Reference
from latelier.metrics.networks.inception_features import FID_NETWORK


class FeatureMeasure:
    """Base of measures of the features and logits that the run itself records."""

    def record(self, pictures: EvaluatedPictures, /) -> Mapping[str, Tensor]:  # noqa: ARG002
        """Record nothing else."""
        return {}


def name_of_features(network: str, inception: str, other: str) -> str:
    """Return the title of a figure: the published name is for the Inception of FID alone."""
    return inception if network.startswith(FID_NETWORK) else other


def take_features(records: Records, reference: Reference, limit: int) -> tuple[Tensor, Tensor]:
    """Return the features of equally many pictures and reference pictures, spread evenly."""
    features = records.column("features")
    count = min(limit, len(features), len(reference.features))
    return _spread(features, count), _spread(reference.features, count)


def _spread(features: Tensor, count: int) -> Tensor:
    return features[torch.arange(count) * len(features) // count]
