import numpy as np
import pytest

from latelier.data.emoji_scenes.backgrounds import (
    BACKGROUND_KINDS,
    BackgroundInfo,
    BackgroundKind,
    draw_background,
    sample_background,
)
from latelier.data.emoji_scenes.palette import COLORS
from latelier.data.emoji_scenes.places import GROUND, NONE, PLACES, SKY, WATER


def share(image: np.ndarray, name: str) -> float:
    """Return the share of pixels that are closer than 30 levels to a named colour."""
    distance = np.abs(image - np.array(COLORS[name].rgb)).max(axis=-1)
    return float((distance < 30).mean())


@pytest.mark.parametrize("kind", ["stripes", "dots", "checks"])
def test_first_color_of_a_pattern_is_dominant(kind: BackgroundKind) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        image = draw_background(BackgroundInfo(kind, ("red", "white")), 96, rng).image
        assert share(image, "red") > 0.5
        assert 0.15 < share(image, "white") < 0.45


def test_plain_is_one_color() -> None:
    image = draw_background(BackgroundInfo("plain", ("teal",)), 32, np.random.default_rng(0)).image
    assert share(image, "teal") == 1


@pytest.mark.parametrize(
    ("style", "first", "last"),
    [
        ("vertical", (0, 16), (31, 16)),
        ("horizontal", (16, 0), (16, 31)),
        ("radial", (16, 16), (0, 0)),
    ],
)
def test_gradient_runs_from_first_to_second(
    style: str, first: tuple[int, int], last: tuple[int, int]
) -> None:
    info = BackgroundInfo("gradient", ("blue", "yellow"), style)
    image = draw_background(info, 32, np.random.default_rng(0)).image
    np.testing.assert_allclose(image[first], COLORS["blue"].rgb, atol=12)
    np.testing.assert_allclose(image[last], COLORS["yellow"].rgb, atol=12)


@pytest.mark.parametrize("kind", BACKGROUND_KINDS)
def test_images_are_in_range(kind: BackgroundKind) -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        drawn = draw_background(sample_background(kind, rng), 64, rng)
        assert drawn.image.shape == (64, 64, 3)
        assert drawn.image.dtype == np.float32
        assert 0 <= drawn.image.min() <= drawn.image.max() <= 255


def test_two_colors_of_a_background_differ() -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        first, second = sample_background("checks", rng).colors
        assert first != second
        assert "gray" not in (first, second) or "teal" not in (first, second)


@pytest.mark.parametrize("name", PLACES)
def test_places_have_sky_above_ground(name: str) -> None:
    drawn = draw_background(BackgroundInfo("place", style=name), 64, np.random.default_rng(3))
    assert (drawn.semantics[:16] == SKY).all()
    assert (drawn.semantics[-8:] == PLACES[name].ground_class).all()
    assert NONE not in drawn.semantics


def test_water_is_in_its_part_of_the_scene() -> None:
    rng = np.random.default_rng(4)
    found = {
        name: set(
            np.unique(draw_background(BackgroundInfo("place", style=name), 64, rng).semantics)
        )
        for name in PLACES
    }
    assert found["sea"] == {SKY, WATER}
    assert found["beach"] == {SKY, WATER, GROUND}
    assert found["meadow"] == {SKY, GROUND}
