import numpy as np
import pytest
from PIL import Image, ImageDraw

from latelier.contracts.images.cutout import Cutout, Pose
from latelier.contracts.images.references import visible_box

POSES = [Pose(), Pose(25), Pose(-70, mirrored=True), Pose(180), Pose(90, mirrored=True)]


def flag(scale=1):
    """Return a cutout without any symmetry, 40 x 30 pixels at scale 1."""
    picture = Image.new("RGBA", (40 * scale, 30 * scale))
    pen = ImageDraw.Draw(picture)
    corners = [(6, 4), (34, 8), (20, 26)]
    pen.polygon([(x * scale, y * scale) for x, y in corners], fill="red")
    pen.rectangle([8 * scale, 5 * scale, 13 * scale, 9 * scale], fill="blue")
    return Cutout(picture.convert("RGBa"))


@pytest.mark.parametrize("pose", POSES)
def test_what_is_drawn_in_a_box_touches_its_sides_and_is_centred(pose):
    box = (20.0, 30.0, 120.0, 90.0)
    shown = flag(4).draw_in(box, pose, (160, 128))
    left, top, right, bottom = visible_box(shown)
    assert (left + right) / 2 == pytest.approx(70, abs=1)
    assert (top + bottom) / 2 == pytest.approx(60, abs=1)
    assert max((right - left) / 100, (bottom - top) / 60) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("pose", POSES)
def test_it_is_mirrored_and_then_turned_as_pillow_does(pose):
    cutout = flag(4)
    picture = cutout.picture
    if pose.mirrored:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turned = picture.rotate(pose.turn, Image.Resampling.BICUBIC, expand=True)
    expected = turned.crop(visible_box(turned))
    shown = cutout.draw_in((0.0, 0.0, *map(float, expected.size)), pose, expected.size)
    difference = np.abs(np.asarray(shown, float) - np.asarray(expected, float)).mean()
    assert difference < 4  # of 255; 40 and more where one of them is mirrored


@pytest.mark.parametrize("pose", POSES)
def test_the_extent_is_that_of_what_is_seen(pose):
    cutout = flag(4)
    shown = cutout.draw((150.0, 150.0), 1.0, pose, (300, 300))
    seen = [end - 150 for end in visible_box(shown)]
    assert cutout.extent(pose) == pytest.approx(seen, abs=1.5)


@pytest.mark.parametrize("scale", [0.03, 0.2, 0.5, 0.76, 1.0, 1.7])
def test_small_copies_have_the_mean_of_the_picture(scale):
    cutout = flag(8)
    shown = cutout.draw((200.0, 200.0), scale, Pose(10), (400, 400))
    covered = np.asarray(shown, float).sum() / scale**2
    assert covered == pytest.approx(np.asarray(cutout.picture, float).sum(), rel=0.03)


def test_a_shift_of_a_part_of_a_pixel_is_a_shift():
    def center(x):
        alpha = np.asarray(flag().draw((x, 32.0), 0.5, Pose(), (64, 64)), float)[..., 3]
        return (alpha.sum(0) * np.arange(64)).sum() / alpha.sum()

    assert center(32.3) - center(32.0) == pytest.approx(0.3, abs=0.04)


def test_a_picture_that_reaches_its_edges_is_not_cut_off():
    whole = Cutout(Image.new("RGBa", (40, 40), (255, 0, 0, 255)))
    shown = np.asarray(whole.draw((32.0, 32.0), 0.6, Pose(45), (64, 64)), float)[..., 3] / 255
    assert shown.sum() == pytest.approx((0.6 * 40) ** 2, rel=0.01)
    edge = shown[32, :32]  # a corner, which bicubic interpolation without a rim would cut off
    assert edge[int(32 - 0.3 * 40 * 2**0.5) + 2] > 0.8


@pytest.mark.parametrize("side", [1, 4, 8])
def test_an_enlarged_picture_stays_in_its_box(side):
    whole = Cutout(Image.new("RGBa", (side, side), (255, 0, 0, 255)))
    alpha = np.asarray(whole.draw_in((16.0, 16.0, 48.0, 48.0), Pose(), (64, 64)))[..., 3]
    assert alpha[18:46, 18:46].min() == 255
    alpha = alpha.copy()
    alpha[15:49, 15:49] = 0
    assert not alpha.any()


def test_a_picture_without_visible_pixels_has_no_box():
    with pytest.raises(ValueError, match="no visible pixels"):
        Cutout(Image.new("RGBa", (4, 4))).extent(Pose())
