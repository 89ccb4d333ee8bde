from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier_conditioners.collage.conditioner import CollageConditioner
from latelier_conditioners.collage.inputs import Collage, CollageConfig


class Pooling:
    """A first stage whose latents are the means of cells of 2 x 2 pixels."""

    def encode(self, images):
        return torch.nn.functional.avg_pool2d(images, 2)


GEOMETRY = PictureGeometry((16, 32), (8, 16), first_stage=Pooling())
ALPHA = 9  # after latents over grey, black and white
RED, BLUE = (255, 0, 0, 255), (0, 0, 255, 255)


def new(**config):
    return CollageConditioner(CollageConfig(latent_channels=3, **config))


def drawing(color=RED, area=(10, 5, 30, 15)):
    picture = Image.new("RGBA", (40, 30))
    picture.paste(color, area)
    return picture


def collage(*pairs):
    return Collage(pictures=[each for each, _ in pairs], boxes=[box for _, box in pairs])


def spatial(*pairs):
    conditioner = new()
    return conditioner(conditioner.prepare([collage(*pairs)], GEOMETRY), GEOMETRY).spatial[0]


def test_a_picture_fits_its_box_and_is_centred_in_it():
    part = spatial((drawing(), [0, 0, 0.5, 1]))  # 16 x 16 pixels, and the drawing is 2 x 1
    rows, columns = np.nonzero(part[ALPHA].numpy() > 0.2)  # edges are soft
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 5, 0, 7)
    assert part[:3, 3, 4].tolist() == pytest.approx([1, -1, -1], abs=0.02)  # red
    assert part[ALPHA, 3, 4] == pytest.approx(1, abs=0.02)


def test_the_collage_is_seen_over_grey_black_and_white():
    grey, black, white, alpha = spatial((drawing((255, 0, 0, 128)), [0, 0, 0.5, 1])).split(3)
    assert grey[:, 3, 9].tolist() == [0, 0, 0]  # beside it
    assert black[:, 3, 9].tolist() == [-1, -1, -1]
    assert white[:, 3, 9].tolist() == [1, 1, 1]
    near = black[0] != 0
    torch.testing.assert_close(grey, (black + white) / 2)
    torch.testing.assert_close(white - black, (2 * (1 - alpha) * near).expand(3, -1, -1))


class Brighter(Pooling):
    """A first stage whose latents of grey are not 0."""

    def encode(self, images):
        return super().encode(images) + 0.5


def test_cells_are_zero_but_for_those_of_a_picture_and_near_it():
    geometry = replace(GEOMETRY, first_stage=Brighter())
    values = [collage((drawing(), [0, 0, 0.5, 1])), Collage(pictures=[], boxes=[])]
    shown, empty = new()(new().prepare(values, geometry), geometry).spatial
    last = int(shown[ALPHA].amax(dim=0).nonzero().max())  # column with a part of the drawing
    assert shown[:ALPHA, 3, last + 2].all()
    assert not shown[:, :, last + 3 :].any()
    nothing = new().null(2, geometry).spatial
    assert torch.equal(empty, nothing[0])
    assert nothing.shape == (2, 10, 8, 16)
    assert not nothing.any()


def test_it_knows_the_pixels_of_its_pictures():
    values = [collage((drawing((255, 0, 0, 128)), [0, 0, 0.5, 1])), Collage(pictures=[], boxes=[])]
    shown, empty = new().known_pixels(new().prepare(values, GEOMETRY), GEOMETRY)
    assert shown[:, 8, 8].tolist() == pytest.approx([128 / 255, 0, 0, 128 / 255])
    assert not shown[:, :, 17:].any()
    assert not empty.any()


def test_smaller_boxes_are_in_front_in_any_order():
    small, large = (drawing(), [0.25, 0.25, 0.75, 0.75]), (drawing(BLUE), [0, 0, 1, 1])
    one, other = spatial(small, large), spatial(large, small)
    assert torch.equal(one, other)
    assert one[:3, 4, 8].tolist() == pytest.approx([1, -1, -1], abs=0.02)
    assert one[:3, 4, 1].tolist() == pytest.approx([-1, -1, 1], abs=0.02)


def test_half_transparent_pictures_show_what_is_below():
    veil = drawing((255, 0, 0, 128))
    below, above = (drawing(BLUE), [0, 0, 1, 1]), (veil, [0.25, 0.25, 0.75, 0.75])
    part = spatial(below, above)[:, 4, 8]
    for over in (part[:3], part[3:6], part[6:9]):
        assert over.tolist() == pytest.approx([0, -1, 0], abs=0.02)
    assert part[ALPHA] == 1


def test_pictures_are_mirrored_and_turned_before_they_fit_their_boxes():
    two = Image.new("RGBA", (8, 8))
    two.paste(RED, (0, 0, 4, 8))
    two.paste(BLUE, (4, 0, 8, 8))
    whole = [[0, 0, 0.5, 1]]
    for given, side in (
        ({}, (1, 4, 1)),  # red is on the left
        ({"mirrored": [True]}, (1, 4, 6)),
        ({"turns": [90]}, (1, 6, 4)),  # counter-clockwise, so what was on the left is below
        ({"turns": [-90], "mirrored": [True]}, (1, 6, 4)),
    ):
        value = Collage(pictures=[two], boxes=whole, **given)
        part = new()(new().prepare([value], GEOMETRY), GEOMETRY).spatial[0]
        _, row, column = side
        assert part[:3, row, column].tolist() == pytest.approx([1, -1, -1], abs=0.1)
        assert part[:3, 7 - row, 7 - column].tolist() == pytest.approx([-1, -1, 1], abs=0.1)


def test_boxes_need_not_lie_on_pixels():
    centers = []
    for shift in (0, 0.25, 0.5, 0.75, 1):
        box = [(4 + shift) / 32, 4 / 16, (12 + shift) / 32, 8 / 16]
        alpha = new().prepare([collage((drawing(), box))], GEOMETRY)["collage"][0, 3].double()
        centers.append(float((alpha.sum(0) * (torch.arange(32) + 0.5)).sum() / alpha.sum()))
    assert centers == pytest.approx([8, 8.25, 8.5, 8.75, 9], abs=0.04)


def test_invalid_inputs_are_refused():
    with pytest.raises(InvalidInputError, match="expected a box for each of 1 pictures, got none"):
        new().prepare([Collage(pictures=[drawing()])], GEOMETRY)
    with pytest.raises(InvalidInputError, match="there are 4 reference pictures, but at most 3"):
        spatial(*[(drawing(), [0, 0, 1, 1])] * 4)
    with pytest.raises(InvalidInputError, match="expected a picture, got 'cat'"):
        spatial(("cat", [0, 0, 1, 1]))
    with pytest.raises(ValueError, match="there are 2 boxes for 1 pictures; give one for each"):
        Collage(pictures=[drawing()], boxes=[[0, 0, 1, 1]] * 2)
    with pytest.raises(ValueError, match="there are 2 turns for 1 pictures"):
        Collage(pictures=[drawing()], turns=[3, 4])


def test_an_incompatible_first_stage_is_refused():
    value = collage((drawing(), [0, 0, 1, 1]))
    other = CollageConditioner(CollageConfig(latent_channels=4))
    with pytest.raises(CompatibilityError, match="latents of 3 channels for collages"):
        other(other.prepare([value], GEOMETRY), GEOMETRY)
    bare = PictureGeometry((16, 32), (8, 16))
    with pytest.raises(CompatibilityError, match="collages are encoded, but the geometry has no"):
        new()(new().prepare([value], bare), bare)
