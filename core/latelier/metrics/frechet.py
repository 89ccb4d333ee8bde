"""Frechet distance of two sets of features (arXiv:1706.08500), in float64."""

from dataclasses import dataclass

import torch
from torch import Tensor

from latelier.contracts.errors import InvalidInputError


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """The normal distribution that stands for a set of features.

    Attributes:
        mean: float64 (D,).
        covariance: float64 (D, D), the unbiased estimate.
    """

    mean: Tensor
    covariance: Tensor

    @classmethod
    def from_features(cls, features: Tensor) -> "FeatureStatistics":
        """Estimate mean and covariance of features (N, D), N at least 2.

        Raises:
            InvalidInputError: the features have another shape, or there are fewer than two rows.
        """
        if features.ndim != 2 or len(features) < 2:
            raise InvalidInputError(
                f"expected features (N, D) of two pictures or more, got {tuple(features.shape)}"
            )
        features = features.double()
        return cls(features.mean(0), torch.cov(features.T).reshape(features.shape[1], -1))


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
