import numpy as np
import pytest

from latelier.data.emoji_scenes.layout import Box, place_objects, relation


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ((0.0, 0.4, 0.4, 0.6), (0.5, 0.4, 0.9, 0.6), "to the left of"),
        ((0.5, 0.4, 0.9, 0.6), (0.0, 0.4, 0.4, 0.6), "to the right of"),
        ((0.4, 0.0, 0.6, 0.4), (0.4, 0.5, 0.6, 0.9), "above"),
        ((0.4, 0.5, 0.6, 0.9), (0.4, 0.0, 0.6, 0.4), "below"),
        ((0.0, 0.0, 0.6, 0.6), (0.3, 0.3, 0.9, 0.9), "overlapping"),
        ((0.4, 0.4, 0.6, 0.6), (0.1, 0.1, 0.9, 0.9), "in front of"),
    ],
)
def test_relation_describes_two_boxes(first: Box, second: Box, words: str) -> None:
    assert relation(first, second) == words


def test_lone_objects_stay_inside_the_range() -> None:
    rng = np.random.default_rng(0)
    placements = [place_objects([7], (0.5, 0.7), (-5, 5), False, rng)[0] for _ in range(200)]
    assert all(0.5 <= p.scale <= 0.7 and abs(p.angle) <= 5 for p in placements)
    assert not any(p.mirrored for p in placements)
    assert len({round(p.x, 3) for p in placements}) > 20


def test_mirroring_happens_half_of_the_time() -> None:
    rng = np.random.default_rng(0)
    mirrored = [place_objects([7], (0.5, 0.7), (0, 0), True, rng)[0].mirrored for _ in range(400)]
    assert 150 < sum(mirrored) < 250
