import numpy as np
import pytest
from PIL import Image

from latelier.data.emoji_scenes.artwork import (
    Placement,
    glyph_artwork,
    make_artwork,
)
from latelier.data.emoji_scenes.glyphs import all_glyphs

PLACED = Placement(0.5, 0.5, 0.8)


def number(name: str) -> int:
    return next(glyph.index for glyph in all_glyphs() if glyph.name == name)


def test_picture_of_an_artwork_is_its_tile_with_straight_alpha() -> None:
    tile = Image.new("RGBA", (128, 128))
    tile.paste((200, 100, 50, 128), (30, 20, 90, 100))
    artwork = make_artwork(tile)
    assert artwork.box == (30, 20, 90, 100)
    picture = artwork.picture()
    assert np.abs(picture[50, 50].astype(int) - (200, 100, 50, 128)).max() <= 2
    assert not picture[:20].any()


def test_an_artwork_made_of_a_glyphs_tile_is_drawn_alike() -> None:
    artwork = make_artwork(glyph_artwork(40).tile)
    placement = Placement(0.4, 0.6, 0.5, 20.0, True)
    expected = glyph_artwork(40).draw(placement, 64)
    np.testing.assert_array_equal(artwork.draw(placement, 64), expected)


@pytest.mark.parametrize("angle", [0.0, -20.0, 130.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_exact_box_of_an_artwork_is_where_it_is_drawn_again(
    angle: float, mirrored: bool
) -> None:
    placement = Placement(0.43, 0.58, 0.55, angle, mirrored)
    for name in ("sailboat", "cat", "pencil"):
        artwork = glyph_artwork(number(name))
        box = [128 * end for end in artwork.placed_box(placement)]
        again = artwork.cutout.draw_in((box[0], box[1], box[2], box[3]), placement.pose, (128, 128))
        difference = np.asarray(again, int) - artwork.draw(placement, 128).astype(int)
        assert np.abs(difference).max() <= 2


def test_the_exact_box_ends_at_the_sides_of_the_image() -> None:
    x0, _, x1, _ = glyph_artwork(40).placed_box(Placement(0.1, 0.5, 0.9))
    assert x0 == 0 < x1 < 0.6


@pytest.mark.parametrize("angle", [0.0, -20.0, 45.0])
def test_a_placement_fits_into_the_image(angle: float) -> None:
    for name in ("sailboat", "cat", "pencil"):
        artwork = glyph_artwork(number(name))
        for placement in (Placement(0.5, 0.5, 1.3, angle, True), Placement(0.02, 0.9, 0.5, angle)):
            fitted = artwork.fit(placement)
            box = artwork.placed_box(fitted)
            again = artwork.cutout.extent(fitted.pose)
            pixel = (box[2] - box[0]) / (again[2] - again[0])
            assert box[3] - box[1] == pytest.approx(pixel * (again[3] - again[1]))  # not cut off
            assert fitted.scale <= placement.scale
        assert artwork.fit(fitted) == fitted
    inside = Placement(0.5, 0.5, 0.5, angle)
    assert artwork.fit(inside) == inside


def test_change_tells_whether_a_turn_or_mirroring_is_seen() -> None:
    sail, circle = (glyph_artwork(number(name)) for name in ("sailboat", "red circle"))
    assert circle.change(90, mirrored=True) < 0.05 < 0.15 < sail.change(20, mirrored=False)
    assert sail.change(0, mirrored=True) > 0.15
    assert sail.change(0, mirrored=False) == 0
