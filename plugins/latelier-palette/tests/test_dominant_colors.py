import numpy as np
import pytest
from PIL import Image

from latelier_palette.dominant_colors import MAX_COUNT, dominant_colors
from latelier_palette.palette_distance import nearest_distance


def picture(levels):
    return Image.fromarray(np.asarray(levels, dtype=np.uint8))


def bars(*colors):
    return np.array([[color for color in colors for _ in range(8)]] * 16)


def test_flat_colours_are_found_exactly():
    found = dominant_colors(
        picture(bars((29, 53, 87), (29, 53, 87), (230, 57, 70), (241, 250, 238)))
    )
    assert found == {"#1d3557": 0.5, "#e63946": 0.25, "#f1faee": 0.25}


def test_specks_are_omitted_and_reduce_the_shares():
    levels = np.tile(np.array([200, 30, 30]), (64, 64, 1))
    levels[0, :40] = (0, 0, 255)
    found = dominant_colors(picture(levels))
    assert list(found) == ["#c81e1e"]
    assert found["#c81e1e"] == pytest.approx(1 - 40 / 4096, abs=1e-4)


def test_noise_around_two_colours_gives_two_colours():
    rng = np.random.default_rng(0)
    levels = bars((40, 160, 90), (220, 200, 60)) + rng.integers(-6, 7, (16, 16, 3))
    found = dominant_colors(picture(levels))
    assert len(found) == 2
    assert nearest_distance(found, {"#28a05a": 0.5, "#dcc83c": 0.5}) < 1


def test_many_colours_are_reduced():
    rng = np.random.default_rng(0)
    found = dominant_colors(picture(rng.integers(0, 256, (64, 64, 3))))
    assert len(found) == MAX_COUNT
    assert sum(found.values()) == pytest.approx(1, abs=1e-3)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_size_does_not_matter():
    levels = bars((29, 53, 87), (230, 57, 70), (29, 53, 87))
    large = picture(levels.repeat(40, axis=0).repeat(40, axis=1))
    small, reduced = dominant_colors(picture(levels)), dominant_colors(large)
    assert list(small) == list(reduced)
    assert list(reduced.values()) == pytest.approx(list(small.values()), abs=0.02)


def test_the_same_picture_gives_the_same_colours_in_any_mode():
    rng = np.random.default_rng(1)
    shown = picture(rng.integers(0, 256, (32, 32, 3)))
    assert dominant_colors(shown) == dominant_colors(shown)
    assert dominant_colors(shown.convert("RGBA")) == dominant_colors(shown)
