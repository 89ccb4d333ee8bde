"""How objects are turned, by what a text says about them and a seed."""

from collections.abc import Mapping

import numpy as np

from latelier.pipeline.planning.references.arrangement.wishes import Turn, Wishes

_TURNS: Mapping[Turn | None, tuple[float, float]] = {
    None: (-10, 10),
    "left": (12, 20),
    "right": (-20, -12),
    "sideways": (90, 90),
    "upside down": (180, 180),
}
"""Range of degrees, counter-clockwise."""


def choose_turns(count: int, wishes: Wishes, rng: np.random.Generator) -> tuple[float, ...]:
    """Return the degrees by which each object is turned, counter-clockwise."""
    ranges = [_TURNS[wishes.turns.get(k)] for k in range(count)]
    return tuple(float(rng.uniform(*each)) for each in ranges)
