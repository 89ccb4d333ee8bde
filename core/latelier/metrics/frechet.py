"""Frechet distance of two sets of features (arXiv:1706.08500), in float64."""

from collections.abc import Callable

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
    return frechet_distance_from(first)(second)


def frechet_distance_from(first: FeatureStatistics) -> Callable[[FeatureStatistics], float]:
    """Return the squared Frechet distance of one distribution as a function of the other.

    It is faster for several others: the root of the first covariance is taken once.
    """
    values, vectors = torch.linalg.eigh(first.covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T

    def distance(second: FeatureStatistics) -> float:
        if first.mean.shape != second.mean.shape:
            raise InvalidInputError(
                f"expected features of one width, got {len(first.mean)} and {len(second.mean)}"
            )
        product = torch.linalg.eigvalsh(root @ second.covariance @ root)
        trace = first.covariance.trace() + second.covariance.trace()
        shift = (first.mean - second.mean).square().sum()
        return max(0.0, float(shift + trace - 2 * product.clamp(min=0).sqrt().sum()))

    return distance
