"""The filters on pictures whose hints are known."""

import pytest
import torch
from latelier.contracts.errors import InvalidInputError

from latelier_addons.preprocessors.filters import FILTERS, blur, canny, line, tile


@pytest.fixture
def square():
    """A white square on black, (1, 3, 64, 64)."""
    images = torch.full((1, 3, 64, 64), -1.0)
    images[..., 16:48, 16:48] = 1
    return images


@pytest.mark.parametrize("name", FILTERS)
def test_hints_are_pictures_of_the_same_size(name):
    images = 2 * torch.rand(2, 3, 40, 56, generator=torch.Generator().manual_seed(0)) - 1
    hints = FILTERS[name](images)
    assert hints.shape == images.shape
    assert -1 <= hints.min() < -0.2
    assert 0.2 < hints.max() <= 1
    assert torch.equal(hints[1:], FILTERS[name](images[1:]))


def test_canny_draws_thin_outlines(square):
    hint = canny(square)[0, 0]
    assert set(hint.unique().tolist()) == {-1, 1}
    edges = hint > 0
    assert edges[32].sum() == 2
    assert edges[:, 32].sum() == 2
    assert edges[24:40, 24:40].sum() == edges[:8].sum() == 0


def test_canny_leaves_out_faint_edges(square):
    assert canny(square * 0.25).max() == -1
    assert canny(square * 0.4).max() == 1
    assert canny(square * 0.1, low=0.05, high=0.1).max() == 1


@pytest.mark.parametrize(("low", "high"), [(0.9, 0.8), (0.0, 0.8)])
def test_canny_needs_thresholds_in_order(square, low, high):
    with pytest.raises(InvalidInputError, match=f"0 < low <= high, got low={low}, high={high}"):
        canny(square, low, high)


def test_canny_needs_three_pixels():
    assert canny(torch.rand(1, 3, 3, 3)).shape == (1, 3, 3, 3)
    with pytest.raises(InvalidInputError, match="3 pixels a side or more, got 4x2"):
        canny(torch.rand(1, 3, 2, 4))


def test_blur_keeps_the_mean_and_loses_contrast(square):
    assert blur(square, 4.0).mean() == pytest.approx(-0.5, abs=2e-3)
    assert blur(square, 9.0).std() < blur(square, 2.0).std() < square.std()


def test_line_finds_dark_strokes_only():
    images = torch.ones(1, 3, 64, 64)
    images[..., 20, :] = -1
    images[..., 40:, :] = 0  # an area, no line
    hint = line(images)[0, 0]
    assert hint[20].min() == 1
    assert hint[10].max() < -0.8
    assert hint[60].max() < -0.8


def test_faint_lines_stay_faint():
    images = torch.ones(1, 3, 64, 64)
    images[..., 20, :] = 0.9
    assert -0.4 < line(images)[0, 0, 20].min() < -0.1


def test_what_is_below_the_threshold_does_not_count_as_contrast():
    images = torch.ones(1, 3, 64, 64)
    images[..., 20, :] = 0
    assert (line(images, threshold=0.9) + 1).mean() > 1.5 * (line(images) + 1).mean()


def test_line_of_an_empty_picture_is_black():
    assert line(torch.ones(1, 3, 32, 32)).max() < -1 + 1e-4


def test_tile_loses_small_details():
    checks = torch.tensor([[-1.0, 1.0], [1.0, -1.0]]).repeat(16, 16).expand(1, 3, 32, 32)
    assert tile(checks, 4).std() < 1e-3
    assert torch.allclose(tile(checks, 1), checks, atol=1e-5)
