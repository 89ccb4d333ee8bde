import numpy as np
import pytest

from latelier.pipeline.planning.references.arrangement.poses import choose_turns
from latelier.pipeline.planning.references.arrangement.wishes import Wishes


@pytest.mark.parametrize(
    ("turn", "low", "high"),
    [(None, -10, 10), ("left", 12, 20), ("right", -20, -12), ("sideways", 90, 90)],
)
def test_turns_are_those_of_the_text(turn, low, high):
    wishes = Wishes(turns={} if turn is None else {1: turn})
    found = [choose_turns(2, wishes, np.random.default_rng(seed))[1] for seed in range(20)]
    assert low <= min(found) <= max(found) <= high
    assert len(set(found)) == (1 if low == high else 20)
