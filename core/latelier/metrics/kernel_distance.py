"""Kernel distance of two sets of features: KID (Binkowski et al. 2018, arXiv:1801.01401)."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from torch import Tensor

from latelier.contracts.errors import InvalidInputError


@dataclass(frozen=True)
class KernelDistance:
    """The kernel distance of pictures to reference pictures.

    Attributes:
        value: mean of the subsets' distances. It is not biased, so it can be below 0.
        deviation: standard deviation of the subsets' distances, as papers state it.
        error: standard error of the value, with the reference taken as given.
    """

    value: float
    deviation: float
    error: float


def kernel_distance(
    pictures: Tensor,
    reference: Tensor,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 2020,
) -> KernelDistance:
    """Return the mean squared maximum mean discrepancy of random subsets.

    The kernel is (x . y / D + 1)^3. The subsets are those that torch-fidelity draws with this seed.

    Args:
        pictures: features (N, D).
        reference: features (M, D).
        subsets: number of subsets, at least 1.
        subset_size: pictures of each, at least 2 and at most N and M.
        seed: of the subsets.

    Raises:
        InvalidInputError: the features have different widths, are not finite, or too few.
    """
    if pictures.ndim != 2 or pictures.shape[1:] != reference.shape[1:]:
        raise InvalidInputError(
            "expected features (N, D) of one width, "
            f"got {tuple(pictures.shape)} and {tuple(reference.shape)}"
        )
    if not 2 <= subset_size <= min(len(pictures), len(reference)):
        raise InvalidInputError(
            f"expected at least {subset_size} pictures, and two, in each set, "
            f"got {len(pictures)} and {len(reference)}"
        )
    if not (pictures.isfinite().all() and reference.isfinite().all()):
        raise InvalidInputError("expected finite features")
    random = np.random.RandomState(seed)
    values, variances = [], []
    for _ in range(subsets):
        x, y = (
            each[torch.from_numpy(random.choice(len(each), subset_size, replace=False))].double()
            for each in (pictures, reference)
        )
        value, variance = _discrepancy(x, y)
        values.append(value)
        variances.append(variance)
    deviation = float(np.std(values))
    # Of the pictures, by the first term of Hoeffding's expansion, and of the choice of subsets.
    error = sqrt(4 * float(np.mean(variances)) / len(pictures) + deviation**2 / subsets)
    return KernelDistance(float(np.mean(values)), deviation, error)


def _discrepancy(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Return the unbiased discrepancy of features (n, D) each, and the variance of its terms."""
    count = len(x)
    own, other, cross = _kernel(x, x), _kernel(y, y), _kernel(x, y)
    own_means = (own.sum(1) - own.diagonal()) / (count - 1)
    other_means = (other.sum(1) - other.diagonal()) / (count - 1)
    cross_means = cross.mean(1)
    value = own_means.mean() + other_means.mean() - 2 * cross_means.mean()
    return float(value), float((own_means - cross_means).var())


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3
