"""Goals: a number made of the samples of each round, and a bound."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Samples = Mapping[str, Sequence[float]]
"""Variant -> its value in each round."""


@dataclass(frozen=True)
class Goal:
    """A goal of a case. Its value is the median over the rounds.

    Attributes:
        text: what is measured, human-readable.
        values: makes the numbers of the rounds.
        at_least: lower bound of their median; None: none.
        at_most: upper bound of their median; None: none.
        unit: of the numbers; "x" for ratios, "%" for shares, which are 1 at 100 %.
    """

    text: str
    values: Callable[[Samples], Sequence[float]]
    at_least: float | None = None
    at_most: float | None = None
    unit: str = "x"

    def is_met(self, value: float) -> bool:
        """Return whether a value is within the bounds."""
        is_enough = self.at_least is None or value >= self.at_least
        return is_enough and (self.at_most is None or value <= self.at_most)


def speedup(of: str, over: str | Sequence[str]) -> Callable[[Samples], list[float]]:
    """Return how many times as fast `of` is as `over`, round by round.

    over: a variant, or several of which the fastest counts.
    """
    return ratio(over, of)


def ratio(of: str | Sequence[str], to: str) -> Callable[[Samples], list[float]]:
    """Return the value of a variant divided by that of another, round by round.

    of: a variant, or several of which the one with the lowest median counts.
    """
    names = [of] if isinstance(of, str) else of

    def divide(samples: Samples) -> list[float]:
        lowest = min(names, key=lambda name: median(samples[name]))
        return [a / b for a, b in zip(samples[lowest], samples[to], strict=True)]

    return divide


def value(of: str) -> Callable[[Samples], Sequence[float]]:
    """Return the values of a variant."""
    return lambda samples: samples[of]


def lowest(of: str) -> Callable[[Samples], list[float]]:
    """Return the lowest value of a variant."""
    return lambda samples: [min(samples[of])]
