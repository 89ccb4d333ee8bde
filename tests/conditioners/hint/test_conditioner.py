"""The hint conditioner: its pixels, and what no hint is."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import pixel_shuffle

from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import CompatibilityError
from latelier_conditioners.hint.conditioner import HintConditioner
from latelier_conditioners.hint.inputs import Hint, HintConfig

GEOMETRY = PictureGeometry((16, 24), (4, 6))


@pytest.fixture
def hint():
    levels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    return Image.fromarray(levels)


def spatial(picture, patch=4, geometry=GEOMETRY):
    conditioner = HintConditioner(HintConfig(patch=patch))
    batch = conditioner.prepare([Hint(image=picture)], geometry)
    return conditioner(batch, geometry).spatial


def test_no_pixel_is_lost(hint):
    cells = spatial(hint)
    assert cells.shape == (1, 49, 4, 6)
    levels = torch.from_numpy(np.array(hint)).permute(2, 0, 1) / 255
    torch.testing.assert_close(pixel_shuffle(cells[:, :-1], 4)[0], levels)


def test_a_black_hint_is_not_none(hint):
    black = spatial(Image.new("RGB", hint.size))
    null = HintConditioner(HintConfig(patch=4)).null(1, GEOMETRY).spatial
    assert black.shape == null.shape
    assert not null.any()
    assert black[:, :-1].count_nonzero() == 0
    assert (black[:, -1] == 1).all()


@pytest.mark.parametrize("size", [(48, 32), (12, 8), (400, 267)])
def test_a_hint_of_about_the_same_aspect_is_resized(hint, size):
    edges = hint.point(lambda level: 255 * (level > 127))  # cubic interpolation overshoots
    cells = spatial(edges.resize(size, Image.Resampling.NEAREST))
    assert cells.shape == (1, 49, 4, 6)
    assert (cells >= 0).all()
    assert (cells <= 1).all()


@pytest.mark.parametrize(("size", "corner"), [((24, 30), (0, 7)), ((40, 16), (8, 0))])
def test_a_hint_of_another_aspect_is_cropped_around_its_centre(hint, size, corner):
    larger = Image.new("RGB", size, "red")
    larger.paste(hint, corner)
    assert torch.equal(spatial(larger), spatial(hint))
    assert HintConditioner(HintConfig()).cropped_size(Hint(image=larger)) == size


def test_a_hint_is_resized_after_it_is_cropped(hint):
    smooth = hint.resize((3, 2)).resize((120, 80), Image.Resampling.BICUBIC)
    wide = Image.new("RGB", (200, 80))
    wide.paste(smooth, (40, 0))
    assert torch.equal(spatial(wide), spatial(smooth))
    assert spatial(Image.new("RGB", (1, 400))).shape == (1, 49, 4, 6)


def test_another_downsampling_is_named(hint):
    with pytest.raises(
        CompatibilityError, match=r"pictures 8 times smaller; .* 24x16 are 6x4 here"
    ):
        spatial(hint, patch=8)


def test_guess_mode_compares_with_no_hint():
    assert HintConfig(absence="guided").is_guided
    assert not HintConfig().is_guided
