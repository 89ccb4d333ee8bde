"""What measures of features have in common."""

from collections.abc import Mapping

import torch
from torch import Tensor

from latelier.contracts.measures import EvaluatedPictures, Records, Reference
from latelier.metrics.networks.inception_features import FID_NETWORK, UNKNOWN_INCEPTION


class FeatureMeasure:
    """Base of measures of the features and logits that the run itself records."""

    def record(self, pictures: EvaluatedPictures, /) -> Mapping[str, Tensor]:  # noqa: ARG002
        """Record nothing else."""
        return {}


def name_of_features(network: str, inception: str, other: str) -> str:
    """Return the title of a figure: the published name is for the published weights alone."""
    if network.startswith(UNKNOWN_INCEPTION):
        return f"{other} ({UNKNOWN_INCEPTION})"
    return inception if network.startswith(FID_NETWORK) else other


def take_features(records: Records, reference: Reference, limit: int) -> tuple[Tensor, Tensor]:
    """Return the features of all pictures and of all reference pictures, (N, D) and (M, D).

    A side of more than `limit` pictures has that many, spread evenly.
    """
    return _spread(records.column("features"), limit), _spread(reference.features, limit)


def _spread(features: Tensor, limit: int) -> Tensor:
    count = min(limit, len(features))
    return features[torch.arange(count) * len(features) // count]
