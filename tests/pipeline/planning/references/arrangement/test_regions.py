import numpy as np
import pytest
from PIL import Image, ImageDraw

from latelier.contracts.images.cutout import Cutout, Pose
from latelier.contracts.inputs import Box
from latelier.pipeline.planning.references.arrangement.regions import Region, mark_region

SQUARE = Cutout(Image.new("RGBa", (10, 10), (255, 0, 0, 255)))
DISC = Image.new("RGBA", (100, 100))
ImageDraw.Draw(DISC).ellipse((0, 0, 99, 99), fill="red")
BOX = Box(x0=0.1, y0=0.1, x1=0.9, y1=0.9)
LARGE = Box(x0=0, y0=0, x1=1, y1=1)


def circle(size=(128, 128)):
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).ellipse((0, 0, size[0] - 1, size[1] - 1), fill=255)
    return mask


def sides(box):
    return box.x1 - box.x0, box.y1 - box.y0


def test_the_whole_and_a_rectangle_leave_a_box_as_it_is():
    mask = Image.new("L", (128, 128))
    ImageDraw.Draw(mask).rectangle((10, 10, 118, 118), fill=255)
    for region in (Region(), mark_region(mask), mark_region(Image.new("L", (128, 128)))):
        assert region.shrink(BOX, SQUARE, Pose()) == BOX


def test_an_object_shrinks_around_its_centre_until_it_is_in_the_mask():
    shrunk = mark_region(circle()).shrink(BOX, SQUARE, Pose())
    assert sides(shrunk) == pytest.approx((0.71, 0.71), abs=0.05)
    assert (shrunk.x0 + shrunk.x1, shrunk.y0 + shrunk.y1) == pytest.approx((1, 1))


def test_what_an_object_shows_counts_and_not_its_box():
    disc = Cutout(DISC.convert("RGBa"))
    assert mark_region(circle()).shrink(BOX, disc, Pose()) == BOX


def test_a_turned_object_is_fitted_as_it_lies():
    upright, turned = (mark_region(circle()).shrink(LARGE, SQUARE, Pose(turn)) for turn in (0, 45))
    assert sides(turned)[0] > sides(upright)[0] + 0.2  # a square on its tip


def test_translucent_objects_shrink_alike():
    veil = Cutout(Image.new("RGBa", (10, 10), (80, 0, 0, 80)))
    region = mark_region(circle())
    assert region.shrink(BOX, veil, Pose()) == region.shrink(BOX, SQUARE, Pose())


def test_a_rectangle_between_the_compared_pixels_takes_what_fits_its_box():
    mask = Image.new("L", (1000, 1000))
    ImageDraw.Draw(mask).rectangle((333, 207, 691, 777), fill=255)
    region = mark_region(mask)
    assert region.shrink(region.box, SQUARE, Pose()) == region.box


def test_an_object_that_fits_in_no_size_stays_as_it_is():
    mask = Image.new("L", (128, 128))
    ImageDraw.Draw(mask).rectangle((0, 0, 127, 12), fill=255)
    assert mark_region(mask).shrink(BOX, SQUARE, Pose()) == BOX


@pytest.mark.parametrize("size", [(128, 128), (200, 100), (1000, 1000), (16, 48)])
def test_regions_of_masks_of_any_size_are_the_same(size):
    region = mark_region(circle(size))
    assert np.mean(region.mask) == pytest.approx(np.pi / 4, abs=0.03)
    assert region.box == Box(x0=0, y0=0, x1=1, y1=1)
