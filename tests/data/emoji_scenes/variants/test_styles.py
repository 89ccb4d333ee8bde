import numpy as np
import pytest
from PIL import Image

from latelier.data.emoji_scenes.artwork import glyph_artwork
from latelier.data.emoji_scenes.variants.styles import STYLES, restyle

ARTWORKS = [glyph_artwork(number) for number in (12, 420, 555, 1000)]


@pytest.mark.parametrize("name", STYLES)
def test_styles_change_the_artwork_and_keep_it_visible(name: str) -> None:
    for seed, artwork in enumerate(ARTWORKS):
        tile = artwork.tile.convert("RGBA")
        changed = STYLES[name](tile, np.random.default_rng(seed))
        assert (changed.mode, changed.size) == ("RGBA", (128, 128))
        before, after = (np.asarray(each.convert("RGBa")).astype(int) for each in (tile, changed))
        shown = before[..., 3] > 128
        assert after[shown][:, 3].mean() > 150
        assert np.abs(before - after)[shown].mean() > 3


def test_gray_has_no_color() -> None:
    gray = STYLES["gray"](ARTWORKS[1].tile.convert("RGBA"), np.random.default_rng(0))
    pixels = np.asarray(gray).astype(int)[..., :3]
    assert np.ptp(pixels, axis=-1).max() <= 2


def test_hue_keeps_the_lightness() -> None:
    tile = Image.new("RGBA", (128, 128), (150, 110, 100, 255))
    shifted = STYLES["hue"](tile, np.random.default_rng(0))
    first, second = (each.convert("L").getpixel((9, 9)) for each in (tile, shifted))
    assert isinstance(first, int)
    assert isinstance(second, int)
    assert abs(first - second) <= 3
    assert tile.getpixel((9, 9)) != shifted.getpixel((9, 9))


def test_the_generator_determines_the_style() -> None:
    looks = set()
    for seed in range(30):
        first, second = (restyle(ARTWORKS[1], np.random.default_rng(seed)) for _ in range(2))
        np.testing.assert_array_equal(first.picture(), second.picture())
        looks.add(first.picture().tobytes())
    assert len(looks) == 30
