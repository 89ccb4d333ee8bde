"""The interval of a share that was counted.

Wilson, Probable inference, the law of succession, and statistical inference (JASA 22, 1927).
"""

from math import sqrt

NORMAL_QUANTILE = 1.959963984540054
"""Two-sided 95 % quantile of the standard normal distribution."""


def wilson_interval(successes: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, 0..1, given `successes` of `count` trials.

    Raises:
        ValueError: there are no trials, or more successes than trials.
    """
    if not 0 <= successes <= count or count == 0:
        raise ValueError(f"expected successes of at least one trial, got {successes} of {count}")
    share = successes / count
    z = NORMAL_QUANTILE
    scale = 1 + z**2 / count
    center = (share + z**2 / (2 * count)) / scale
    half = z / scale * sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    # of none and of all one end is exact, but for rounding
    low = center - half if successes > 0 else 0.0
    high = center + half if successes < count else 1.0
    return low, high
