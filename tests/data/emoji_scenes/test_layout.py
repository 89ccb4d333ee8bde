import numpy as np
import pytest

from latelier.data.emoji_scenes.artwork import Artwork, Placement, glyph_artwork
from latelier.data.emoji_scenes.config import SceneConfig
from latelier.data.emoji_scenes.layout import (
    Box,
    do_overlap,
    inverse,
    is_plain,
    place_objects,
    relation,
    scatter_objects,
)

ARTWORK = glyph_artwork(7)


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
    config = SceneConfig(scale=(0.5, 0.7), rotation=(-5, 5))
    placements = [place_objects([ARTWORK], config, rng)[0] for _ in range(200)]
    assert all(0.5 <= p.scale <= 0.7 and abs(p.angle) <= 5 for p in placements)
    assert not any(p.mirrored for p in placements)
    assert len({round(p.x, 3) for p in placements}) > 20


def test_mirroring_happens_half_of_the_time() -> None:
    rng = np.random.default_rng(0)
    config = SceneConfig(scale=(0.5, 0.7), rotation=(0, 0), mirror=True)
    placements = [place_objects([ARTWORK], config, rng)[0] for _ in range(400)]
    mirrored = [each.mirrored for each in placements]
    assert 150 < sum(mirrored) < 250


def box(artwork: Artwork, placement: Placement) -> Box:
    half_width, half_height = (
        half * placement.scale for half in artwork.half_extent(placement.angle)
    )
    x, y = placement.x, placement.y
    return x - half_width, y - half_height, x + half_width, y + half_height


def test_scattered_objects_are_anywhere_inside_the_image() -> None:
    rng = np.random.default_rng(0)
    config = SceneConfig(scale=(0.3, 0.5), rotation=(-9, 9), mirror=True)
    placements = [scatter_objects([ARTWORK], config, rng)[0] for _ in range(200)]
    assert min(each.x for each in placements) < 0.25
    assert max(each.x for each in placements) > 0.75
    assert 60 < sum(each.mirrored for each in placements) < 140
    for each in placements:
        left, top, right, bottom = box(ARTWORK, each)
        assert -1e-6 <= min(left, top) <= max(right, bottom) <= 1 + 1e-6


def test_scattered_objects_hardly_overlap() -> None:
    rng = np.random.default_rng(0)
    artworks = [glyph_artwork(number) for number in (7, 100, 500)]
    config = SceneConfig(scale=(0.4, 0.8), rotation=(-9, 9))
    overlapping = 0
    for _ in range(100):
        placements = scatter_objects(artworks, config, rng)
        boxes = [box(*pair) for pair in zip(artworks, placements, strict=True)]
        overlapping += any(do_overlap(boxes[i], boxes[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    assert overlapping < 20


@pytest.mark.parametrize(
    ("first", "second", "plain"),
    [
        ((0.0, 0.4, 0.4, 0.6), (0.5, 0.4, 0.9, 0.6), True),
        ((0.0, 0.0, 0.4, 0.4), (0.5, 0.5, 0.9, 0.9), False),  # as much above as to the left
        ((0.0, 0.0, 0.5, 0.5), (0.45, 0.0, 0.9, 0.5), False),  # hardly overlapping
        ((0.0, 0.0, 0.6, 0.6), (0.3, 0.3, 0.9, 0.9), True),
    ],
)
def test_relations_that_two_people_would_word_differently_are_not_plain(
    first: Box, second: Box, plain: bool
) -> None:
    assert is_plain(first, second) == is_plain(second, first) == plain


def test_relations_have_inverses() -> None:
    assert inverse("to the left of") == "to the right of"
    assert inverse(inverse("in front of")) == "in front of"
