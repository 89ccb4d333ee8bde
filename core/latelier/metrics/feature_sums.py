"""Exact sums of features and of their products."""

import functools
import operator
from dataclasses import dataclass

import torch
from torch import Tensor

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.features import FeatureStatistics
from latelier.metrics.feature_grid import UNIT, count_exact_rows, to_grid

_MAX_SUM = 2**61
"""Four terms of this size fit into int64: see `FeatureSums.statistics`."""


@dataclass(frozen=True, eq=False)
class FeatureSums:
    """The sums of a set of pictures, of which the sums of its parts are added in any order.

    They are whole numbers, so they have the same bits however the set was divided. Features of root
    mean square 1 can be summed over 500 million pictures.

    Attributes:
        count: number of pictures.
        sum: int64 (D,), of the features in units of 2^-16.
        outer: int64 (D, D), of their products with each other, in units of 2^-32.
    """

    count: int
    sum: Tensor
    outer: Tensor

    def __post_init__(self) -> None:
        # No product of two features has a greater sum than the squares of one of them.
        if int(self.outer.diagonal().max()) >= _MAX_SUM:
            raise InvalidInputError(
                f"the features of {self.count} pictures are too large to be summed exactly: "
                "expected a network with features of about 1"
            )

    @classmethod
    def zeros(cls, width: int) -> "FeatureSums":
        """Return the sums of no pictures."""
        return cls(
            0,
            torch.zeros(width, dtype=torch.int64),
            torch.zeros(width, width, dtype=torch.int64),
        )

    @classmethod
    def from_features(cls, features: Tensor) -> "FeatureSums":
        """Sum features (N, D).

        Raises:
            InvalidInputError: the features have another shape, are not finite, or are too large.
        """
        whole = to_grid(features)
        parts = (
            cls(len(block), block.sum(0).long(), (block.T @ block).long())
            for block in torch.split(whole, count_exact_rows(whole))
        )
        return functools.reduce(operator.add, parts)

    def __add__(self, other: "FeatureSums") -> "FeatureSums":
        """Return the sums of both sets.

        Raises:
            InvalidInputError: the features have different widths, or their sums become too large.
        """
        if len(self.sum) != len(other.sum):
            raise InvalidInputError(
                f"expected features of one width, got {len(self.sum)} and {len(other.sum)}"
            )
        return FeatureSums(self.count + other.count, self.sum + other.sum, self.outer + other.outer)

    def __sub__(self, part: "FeatureSums") -> "FeatureSums":
        """Return the sums of a set without a part of it."""
        return FeatureSums(self.count - part.count, self.sum - part.sum, self.outer - part.outer)

    def statistics(self) -> FeatureStatistics:
        """Return the mean and the covariance.

        Products are taken about a whole number next to the mean, where they are exact: nothing
        cancels when the mean is large.

        Raises:
            InvalidInputError: there are fewer than two pictures.
        """
        if self.count < 2:
            raise InvalidInputError(f"expected two pictures or more, got {self.count}")
        center = (self.sum.double() / self.count).round().long()
        rest = (self.sum - self.count * center).double()
        about_center = (
            self.outer
            - torch.outer(center, self.sum)
            - torch.outer(self.sum, center)
            + self.count * torch.outer(center, center)
        )
        scatter = about_center.double() - torch.outer(rest, rest / self.count)
        return FeatureStatistics(
            mean=self.sum.double() / self.count * UNIT,
            covariance=scatter / (self.count - 1) * UNIT**2,
        )
