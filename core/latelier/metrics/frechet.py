"""Frechet distance of two sets of features (arXiv:1706.08500), in float64."""

import torch

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.features import FeatureStatistics


def frechet_distance(first: FeatureStatistics, second: FeatureStatistics) -> float:
    """Return the squared Frechet distance of two normal distributions, at least 0.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2), whose last root has the same trace as that
    of C1 C2 and is symmetric. It is biased upward for few pictures: compare sets of one size.

    Raises:
        InvalidInputError: the features have different widths.
    """
    if first.mean.shape != second.mean.shape:
        raise InvalidInputError(
            f"expected features of one width, got {len(first.mean)} and {len(second.mean)}"
        )
    values, vectors = torch.linalg.eigh(first.covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    product = torch.linalg.eigvalsh(root @ second.covariance @ root)
    trace = first.covariance.trace() + second.covariance.trace()
    distance = (first.mean - second.mean).square().sum() + trace
    return max(0.0, float(distance - 2 * product.clamp(min=0).sqrt().sum()))
