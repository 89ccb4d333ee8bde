import numpy as np

from latelier.data.emoji_scenes.artwork import Placement, glyph_artwork
from latelier.data.emoji_scenes.glyphs import GROUPS, all_glyphs, vocabulary


def test_basic_vocabulary_has_512_unique_names() -> None:
    names = [glyph.name for glyph in vocabulary("basic")]
    assert len(names) == len(set(names)) == 512


def test_all_names_and_code_points_are_unique() -> None:
    glyphs = all_glyphs()
    assert len({glyph.name for glyph in glyphs}) == len(glyphs) > 1100
    assert len({glyph.code_point for glyph in glyphs}) == len(glyphs)
    assert [glyph.index for glyph in glyphs] == list(range(len(glyphs)))


def test_class_ids_of_trained_models_stay() -> None:
    basic = vocabulary("basic")
    assert [basic[i].name for i in (0, 100, 250, 511)] == [
        "face with heart eyes",
        "owl",
        "greek temple",
        "shopping cart",
    ]


def test_every_group_is_known() -> None:
    assert {glyph.group for glyph in all_glyphs()} == set(GROUPS)


def test_unwanted_subjects_are_absent() -> None:
    groups = {glyph.group for glyph in all_glyphs()}
    subgroups = {glyph.subgroup for glyph in all_glyphs()}
    assert "Flags" not in groups
    assert not subgroups & {"alphanum", "arrow", "religion", "place-religious", "keycap"}


def test_basic_glyphs_look_different() -> None:
    placement = Placement(0.5, 0.5, 1.0)
    pixels = np.stack(
        [glyph_artwork(glyph.index).draw(placement, 24) for glyph in vocabulary("basic")]
    ).astype(np.float32)
    flat = pixels.reshape(len(pixels), -1) / 255
    squares = (flat**2).mean(axis=1)
    distance = squares[:, None] + squares - 2 * flat @ flat.T / flat.shape[1]
    np.fill_diagonal(distance, 1)
    assert distance.min() > 0.015


def test_atlas_tile_matches_its_record() -> None:
    by_name = {glyph.name: glyph for glyph in all_glyphs()}
    for name, channel in {"red heart": 0, "frog": 1, "blue heart": 2}.items():
        pixels = glyph_artwork(by_name[name].index).draw(Placement(0.5, 0.5, 1.0), 32)
        mean = pixels[pixels[..., 3] == 255, :3].mean(axis=0)
        assert mean.argmax() == channel
