"""Pictures of every mode become RGB, or a mask, without silent loss."""

import io

import numpy as np
import pytest
from PIL import Image

from latelier.contracts.images.modes import to_mask, to_rgb

COLOUR = (10, 20, 30)


def rgba(alpha, hidden=(255, 0, 0), colour=COLOUR):
    """Return a row of pixels of one colour; `hidden` is that of transparent ones."""
    pixels = [(*(colour if level else hidden), level) for level in alpha]
    return Image.fromarray(np.array([pixels], dtype=np.uint8))


def levels(image):
    return np.asarray(image)[0].tolist()


def test_opaque_pictures_keep_their_pixels():
    assert levels(to_rgb(rgba([255, 255]))) == [[*COLOUR]] * 2


def test_transparent_pixels_are_white():
    transparent = rgba([0, 255])
    for image in (transparent, transparent.quantize(2), transparent.convert("RGBa")):
        assert levels(to_rgb(image)) == [[255, 255, 255], [*COLOUR]]
    grey = Image.fromarray(np.array([[[7, 0], [7, 255]]], dtype=np.uint8))
    assert grey.mode == "LA"
    assert levels(to_rgb(grey)) == [[255] * 3, [7] * 3]


@pytest.mark.parametrize(("mode", "key"), [("P", 1), ("L", 8), ("RGB", (9, 9, 9))])
def test_one_transparent_colour_is_white(mode, key):
    image = Image.new(mode, (2, 1))
    if mode == "P":
        image.putpalette([0, 0, 0, 8, 8, 8])
    image.putpixel((0, 0), key)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=key)
    assert levels(to_rgb(Image.open(buffer))) == [[255] * 3, [0] * 3]


def transparent_16_bits(values, transparent):
    """Return a picture with 16 bits and one transparent level, as a file gives it."""
    buffer = io.BytesIO()
    image = Image.fromarray(np.array([values], dtype=np.uint16))
    image.save(buffer, "PNG", transparency=transparent)
    return Image.open(buffer)


def test_a_transparent_level_of_16_bits_is_hidden():
    deep = transparent_16_bits([1000, 1001, 65535, 0], transparent=1000)
    assert levels(to_rgb(deep)) == [[255] * 3, [4] * 3, [255] * 3, [0] * 3]
    assert levels(to_mask(deep)) == [0, 4, 255, 0]
    assert levels(to_mask(transparent_16_bits([9, 65535], transparent=65535))) == [255, 0]
    assert levels(to_mask(transparent_16_bits([1, 0, 1], transparent=1))) == [0, 255, 0]


def test_half_transparent_pixels_are_blended_with_white():
    assert levels(to_rgb(rgba([51], colour=(0, 0, 0)))) == [[204] * 3]


DEPTHS = ["I;16", "I;16B", "I"]


@pytest.mark.parametrize("mode", DEPTHS)
@pytest.mark.parametrize("convert", [to_rgb, to_mask])
def test_16_bits_are_scaled(mode, convert):
    deep = np.array([[0, 257, 128 * 257 + 100, 65535]], dtype=np.uint16)
    image = Image.fromarray(deep) if mode == "I;16" else Image.fromarray(deep.astype(np.int32))
    image = image if image.mode == mode else image.convert(mode)
    found = np.asarray(convert(image)).reshape(4, -1)[:, 0].tolist()
    assert found == [0, 1, 128, 255]


def test_16_bits_survive_a_file(tmp_path):
    deep = np.array([[0, 32896, 65535]], dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert levels(to_mask(Image.open(tmp_path / "deep.png"))) == [0, 128, 255]


def test_mode_i_levels_within_8_bits_are_kept():
    assert levels(to_mask(Image.fromarray(np.array([[0, 7, 255]], dtype=np.int32)))) == [0, 7, 255]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[0, 65536]], dtype=np.int32), "from 0 to 65535, not from 0 to 65536"),
        (np.array([[-1, 0]], dtype=np.int32), "not from -1 to 0"),
        (np.array([[0, 1]], dtype=np.float32), r"floating point \(mode F\) has no known range"),
    ],
)
@pytest.mark.parametrize("convert", [to_rgb, to_mask])
def test_levels_without_a_known_range_are_refused(array, message, convert):
    with pytest.raises(ValueError, match=message):
        convert(Image.fromarray(array))


def test_lab_becomes_a_mask():
    assert levels(to_mask(Image.new("LAB", (1, 1), (255, 128, 128)))) == [255]
    assert levels(to_mask(Image.new("LAB", (1, 1), (0, 128, 128)))) == [0]


def test_cmyk_becomes_rgb():
    assert levels(to_rgb(Image.new("CMYK", (1, 1), (0, 255, 255, 0)))) == [[255, 0, 0]]


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (255, 0, 0)])
@pytest.mark.parametrize("hidden", [(0, 0, 0), (255, 255, 255)])
def test_a_mask_in_one_colour_on_a_transparent_canvas_is_its_alpha(colour, hidden):
    assert levels(to_mask(rgba([0, 255, 100], hidden, colour))) == [0, 255, 100]


def test_a_mask_in_several_colours_is_on_a_black_canvas():
    pixels = [(255, 255, 255, 255), (0, 0, 0, 255), (255, 255, 255, 0)]
    assert levels(to_mask(Image.fromarray(np.array([pixels], dtype=np.uint8)))) == [255, 0, 0]


def test_an_opaque_mask_ignores_its_alpha():
    pixels = [(255, 255, 255, 255), (0, 0, 0, 255)]
    assert levels(to_mask(Image.fromarray(np.array([pixels], dtype=np.uint8)))) == [255, 0]


@pytest.mark.parametrize("mode", ["L", *DEPTHS])
def test_a_mask_of_0_and_1_in_any_depth(mode):
    ones = Image.fromarray(np.array([[0, 1]], dtype=np.int32))
    assert levels(to_mask(ones.convert(mode))) == [0, 255]


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 0, 0)])
def test_an_alpha_of_0_and_1_is_scaled(colour):
    assert levels(to_mask(rgba([0, 1, 1], colour=colour))) == [0, 255, 255]
