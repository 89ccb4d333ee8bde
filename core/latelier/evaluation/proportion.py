"""A measured share and its confidence interval."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

_Z = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Proportion:
    """The number of hits among independent trials.

    Raises:
        ValueError: there are no trials, or more hits than trials.
    """

    hits: int
    trials: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.trials or self.trials == 0:
            raise ValueError(f"invalid proportion: {self.hits} hits of {self.trials} trials")

    @classmethod
    def from_outcomes(cls, outcomes: Iterable[bool]) -> "Proportion":
        """Count the outcomes that are true."""
        listed = [bool(outcome) for outcome in outcomes]
        return cls(sum(listed), len(listed))

    @property
    def share(self) -> float:
        """Hits over trials, in [0, 1]."""
        return self.hits / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % score interval (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
        n, p, z = self.trials, self.share, _Z
        middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        reach = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        return max(0.0, middle - reach), min(1.0, middle + reach)

    def to_json(self) -> dict[str, object]:
        """Return share, interval and counts."""
        low, high = self.interval
        return {
            "share": round(self.share, 4),
            "interval_95": [round(low, 4), round(high, 4)],
            "hits": self.hits,
            "trials": self.trials,
        }
