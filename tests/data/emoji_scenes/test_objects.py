from itertools import pairwise

import numpy as np

from latelier.data.emoji_scenes.artwork import glyph_artwork
from latelier.data.emoji_scenes.config import SceneConfig
from latelier.data.emoji_scenes.glyphs import vocabulary
from latelier.data.emoji_scenes.objects import Subject, choose_subjects


def choose(number: int = 40, **values: object) -> list[list[Subject]]:
    config = SceneConfig.model_validate({"objects": (2, 3), **values})
    return [choose_subjects(config, np.random.default_rng(seed)) for seed in range(number)]


def test_objects_have_the_artwork_of_the_atlas_in_front_to_back_order() -> None:
    for subjects in choose():
        assert [subject.depth for subject in subjects] == list(range(len(subjects)))
        for subject in subjects:
            assert subject.origin == "atlas"
            assert subject.artwork is glyph_artwork(subject.glyph.index)


def test_restyled_objects_keep_their_classes() -> None:
    for plain, restyled in zip(choose(), choose(restyled=1.0), strict=True):
        assert [s.class_id for s in plain] == [s.class_id for s in restyled]
        for subject in restyled:
            assert subject.origin == "restyled"
            assert subject.artwork is not glyph_artwork(subject.glyph.index)


def test_drawn_objects_have_a_class_of_their_own() -> None:
    for subjects in choose(drawn=1.0):
        assert {s.class_id for s in subjects} == {len(vocabulary("basic"))}
        assert {(s.origin, s.glyph.group) for s in subjects} == {("drawn", "Symbols")}


def test_repeated_objects_share_one_artwork() -> None:
    for subjects in choose(slots=True, repeated=1.0):
        artworks = [s.artwork for s in subjects]
        assert any(first is second for first, second in pairwise(artworks))
        assert sorted(s.depth for s in subjects) == list(range(len(subjects)))
    chosen = choose(slots=True, repeated=1.0)
    assert {len({id(s.artwork) for s in subjects}) for subjects in chosen} == {1, 2}
