import numpy as np

from latelier.data.emoji_scenes import all_glyphs
from latelier.data.emoji_scenes.artwork import Placement, glyph_artwork
from latelier.evaluation.detector.look_alikes import list_most_alike, look_alike

SIDE = 48


def _drawings() -> np.ndarray:
    """Return all drawings at one size on grey, (N, 3 * SIDE^2) in 0..1."""
    placement = Placement(0.5, 0.5, 0.9)
    pixels = [
        glyph_artwork(glyph.index).draw(placement, SIDE).astype(np.float32) / 255
        for glyph in all_glyphs()
    ]
    drawn = np.stack(pixels)
    return (drawn[..., :3] + (1 - drawn[..., 3:]) / 2).reshape(len(drawn), -1)


def test_drawings_that_are_the_same_at_one_size_look_alike_and_no_others() -> None:
    drawings = _drawings()
    squares = (drawings**2).sum(1)
    errors = (squares[:, None] + squares - 2 * drawings @ drawings.T) / drawings.shape[1]
    below_28_db = np.argwhere(np.triu(errors < 10**-2.8, 1))
    assert len(below_28_db)
    for first, second in below_28_db.tolist():
        assert look_alike(first, second), (all_glyphs()[first].name, all_glyphs()[second].name)


def test_sizes_of_a_shape_look_alike_and_its_colors_do_not() -> None:
    numbers = {glyph.name: glyph.index for glyph in all_glyphs()}
    assert look_alike(numbers["white small square"], numbers["white large square"])
    assert not look_alike(numbers["white large square"], numbers["black large square"])
    assert look_alike(numbers["cat"], numbers["cat"])
    assert not look_alike(numbers["cat"], numbers["dog"])


def test_the_most_alike_drawings_are_others_that_resemble_it() -> None:
    numbers = {glyph.name: glyph.index for glyph in all_glyphs()}
    names = [all_glyphs()[each].name for each in list_most_alike(numbers["grinning face"], 5)]
    assert len(names) == 5
    assert [name.partition(" ")[0] for name in names[:3]] == ["grinning"] * 3
    assert "grinning face" not in names
    squares = list_most_alike(numbers["white large square"], 5)
    assert not any(look_alike(each, numbers["white large square"]) for each in squares)
