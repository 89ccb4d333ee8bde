"""When requests arrive."""

from collections.abc import Callable, Iterator
from random import Random

Arrivals = Callable[[float, Random], Iterator[float]]
"""Yields the seconds at which requests arrive, without end, given a mean rate per second."""

QUIET, BURST = 0.5, 3.0
"""Rates of `arrive_in_bursts` in quiet times and in bursts, relative to the mean."""

BURST_LENGTH = 64
"""Mean length of a burst, in mean times between two requests. Four times as long it is quiet."""


def arrive_independently(rate: float, randomness: Random) -> Iterator[float]:
    """Yield the times of a Poisson process."""
    now = 0.0
    while True:
        now += randomness.expovariate(rate)
        yield now


def arrive_in_bursts(rate: float, randomness: Random) -> Iterator[float]:
    """Yield the times of a Poisson process whose rate changes between two values at random.

    It is a Markov-modulated Poisson process: quiet times and bursts last exponentially long.
    """
    now, is_burst = 0.0, False
    changes = randomness.expovariate(rate / (4 * BURST_LENGTH))
    while True:
        following = now + randomness.expovariate(rate * (BURST if is_burst else QUIET))
        if following < changes:
            now = following
            yield now
            continue
        now, is_burst = changes, not is_burst
        length = BURST_LENGTH if is_burst else 4 * BURST_LENGTH
        changes = now + randomness.expovariate(rate / length)
