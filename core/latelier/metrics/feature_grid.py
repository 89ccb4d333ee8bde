"""Features on a grid, so that sums of their products are exact.

Features are rounded to multiples of 2^-16, and computed with as whole numbers of this unit. Sums
that are exact do not depend on order, batches or processes. Rounding changes the features of usual
networks by about 1e-5 of their standard deviation.
"""

from torch import Tensor

from latelier.contracts.errors import InvalidInputError

UNIT = 2.0**-16

_MAX_FEATURE = 1024
_EXACT = 2**53
"""Whole numbers up to it, and so their sums, are exact in float64."""


def to_grid(features: Tensor) -> Tensor:
    """Return features (N, D) in whole units, float64.

    Raises:
        InvalidInputError: the features have another shape, are not finite, or are 1024 or more.
    """
    if features.ndim != 2 or 0 in features.shape:
        raise InvalidInputError(f"expected features (N, D), got {tuple(features.shape)}")
    features = features.detach().double().cpu()
    valid = (features.abs() < _MAX_FEATURE).all(1)  # not of NaN either
    if not valid.all():
        row = int((~valid).nonzero()[0])
        raise InvalidInputError(
            f"expected finite features between -{_MAX_FEATURE} and {_MAX_FEATURE}, got "
            f"{float(features[row].abs().max()):g} in row {row}"
        )
    return (features / UNIT).round()


def count_exact_rows(features: Tensor) -> int:
    """Return how many products of features in whole units can be summed exactly in float64."""
    return max(1, int(_EXACT / max(1.0, float(features.abs().max()) ** 2)))
