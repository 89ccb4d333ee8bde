import numpy as np
import pytest
from PIL import Image, ImageDraw

from latelier.contracts.databases import Entry
from latelier.contracts.images.cutout import Pose
from latelier.contracts.inputs import Box
from latelier.databases.picture_database import PictureDatabase
from latelier.pipeline.planning.references.areas import Area
from latelier.pipeline.planning.references.shapes import find_entry, find_likeness

WHOLE = Box(x0=0, y0=0, x1=1, y1=1)


def draw(*points):
    """Return a polygon on a transparent ground, with a margin."""
    picture = Image.new("RGBA", (100, 100))
    ImageDraw.Draw(picture).polygon([(10 + 8 * x, 10 + 8 * y) for x, y in points], fill="red")
    return picture


FLAG = draw((0, 0), (10, 2), (3, 5), (3, 10), (0, 10))
BAR = draw((0, 4), (10, 4), (10, 6), (0, 6))


def area_of(picture):
    """Return the area that a picture covers."""
    alpha = picture.getchannel("A")
    return Area("things", WHOLE, np.asarray(alpha.crop(alpha.getbbox())) > 0)


@pytest.mark.parametrize("turn", [0.0, 5.0, 10.0, -14.0, -20.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_pose_of_a_picture_is_read_off_its_outline(turn, mirrored):
    shown = FLAG.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else FLAG
    found = find_likeness(area_of(shown.rotate(turn, expand=True)), FLAG)
    assert found.pose.turn == pytest.approx(turn, abs=2.5)
    assert found.pose.mirrored == mirrored
    assert found.share > 0.9


def test_the_entry_with_the_outline_is_found_among_those_that_are_asked_for():
    pictures = [BAR, FLAG, FLAG]
    database = PictureDatabase([Entry("bar"), Entry("flag"), Entry("pole")], pictures.__getitem__)
    assert find_entry(area_of(FLAG), database, [0, 2])[0] == 2
    assert find_entry(area_of(BAR), database, [0, 1, 2])[0] == 0


def test_an_outline_of_another_aspect_is_less_alike():
    square = draw((0, 0), (10, 0), (10, 10), (0, 10))
    assert find_likeness(area_of(BAR), square).share < 0.3


@pytest.mark.filterwarnings("error")
def test_a_line_and_a_translucent_picture_are_not_alike():
    line = Area("things", WHOLE, np.eye(240, dtype=bool))
    veil = Image.new("RGBA", (100, 100), (255, 0, 0, 100))
    assert find_likeness(line, veil).share == 0


def test_pictures_of_like_outlines_are_told_apart_at_the_side_of_the_area():
    notch = draw((0, 0), (10, 0), (10, 10), (5.25, 10), (5.25, 5), (4.75, 5), (4.75, 10), (0, 10))
    square = draw((0, 0), (10, 0), (10, 10), (0, 10))
    pictures = [square, notch]
    database = PictureDatabase([Entry("square"), Entry("notch")], pictures.__getitem__)
    for number, picture in enumerate(pictures):
        entry, found = find_entry(area_of(picture), database, [0, 1])
        assert (entry, found.pose) == (number, Pose())
        assert found.share > 0.97


def test_the_most_alike_of_many_pictures_is_found_wherever_it_is():
    bars = [
        draw((0, 5 - k / 2), (10, 5 - k / 2), (10, 5 + k / 2), (0, 5 + k / 2)) for k in range(1, 11)
    ]
    pictures = [*bars, FLAG]
    database = PictureDatabase([Entry(f"bar {k}") for k in range(11)], pictures.__getitem__)
    for number in (0, 4, 9, 10):
        assert find_entry(area_of(pictures[number]), database, range(11))[0] == number
