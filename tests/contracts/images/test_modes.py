"""Pictures of every mode become RGB, or a mask, without silent loss."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from latelier.contracts.images.modes import to_mask, to_rgb, to_semantic_map
from latelier.contracts.images.reading import open_picture

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


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of_16_bits(path, channels, pixels, transparent):
    """Write a row of pixels with one transparent colour; Pillow itself cannot write these."""
    colour_type = {1: 0, 3: 2}[channels]
    header = struct.pack(">IIBBBBB", len(pixels) // channels, 1, 16, colour_type, 0, 0, 0)
    row = b"\0" + np.array(pixels, ">u2").tobytes()
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"tRNS", np.array(transparent, ">u2").tobytes())
        + chunk(b"IDAT", zlib.compress(row))
        + chunk(b"IEND", b"")
    )
    return open_picture(str(path))


def test_a_transparent_colour_of_16_bits_is_hidden(tmp_path):
    key, other = (0x1234, 0x5678, 0x9ABC), (0xFFFF, 0, 0x0101)
    image = png_of_16_bits(tmp_path / "a.png", 3, [*key, *other], key)
    assert levels(to_rgb(image)) == [[255, 255, 255], [255, 0, 1]]
    assert levels(to_mask(image)) == [0, 255]
    grey = png_of_16_bits(tmp_path / "b.png", 1, [0x1234, 0x1235, 0xFFFF], [0x1234])
    assert levels(to_rgb(grey)) == [[255] * 3, [18] * 3, [255] * 3]


@pytest.mark.parametrize("mode", DEPTHS)
def test_dark_levels_of_16_bits_are_not_a_mask_of_0_and_1(mode):
    deep = Image.fromarray(np.array([[0, 300]], dtype=np.int32)).convert(mode)
    assert levels(to_mask(deep)) == [0, 1]


@pytest.mark.parametrize("mode", ["La", "RGBa"])
def test_colours_multiplied_by_alpha_are_divided_by_it(mode):
    straight = rgba([0, 128, 255], colour=(90, 90, 90))
    straight = straight.convert("LA") if mode == "La" else straight
    assert abs(np.int64(to_rgb(straight.convert(mode))) - np.int64(to_rgb(straight))).max() <= 1
    ids = np.asarray(to_semantic_map(straight.convert(mode)))
    assert abs(int(ids[0, 2].flat[0]) - 90) <= 1


def test_the_ids_of_a_palette_with_alpha_are_kept():
    ids = Image.fromarray(np.array([[3, 1]], np.uint8))
    image = Image.merge("PA", (ids, Image.new("L", (2, 1), 255)))
    assert levels(to_semantic_map(image)) == [3, 1]


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 0.5])
@pytest.mark.parametrize("convert", [to_rgb, to_mask, to_semantic_map])
def test_floating_point_is_refused(tmp_path, value, convert):
    Image.fromarray(np.array([[value]], np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(ValueError, match=r"mode F"):
        convert(open_picture(str(tmp_path / "a.tiff")))


@pytest.mark.parametrize("suffix", ["webp", "gif", "png"])
def test_an_animation_is_its_first_picture(tmp_path, suffix):
    first, second = (Image.new("RGB", (4, 4), colour) for colour in ("red", "blue"))
    path = tmp_path / f"a.{suffix}"
    first.save(path, save_all=True, append_images=[second])
    pixel = np.int64(to_rgb(open_picture(str(path))))[0, 0]
    assert abs(pixel - (255, 0, 0)).max() <= 2


@pytest.mark.parametrize("suffix", ["png", "jpeg", "webp", "gif", "tiff"])
def test_a_truncated_file_is_an_error(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match="no image can be read from"):
        open_picture(str(path))


def test_an_empty_file_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match="its content is not a known image format"):
        open_picture(str(tmp_path / "a.png"))


def test_a_decompression_bomb_is_an_error(tmp_path):
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    with pytest.raises(ValueError, match="exceeds limit"):
        open_picture(str(tmp_path / "a.png"))


def test_a_cmyk_file_becomes_rgb(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg")
    image = open_picture(str(tmp_path / "a.jpg"))
    assert image.mode == "CMYK"
    assert abs(np.int64(to_rgb(image))[0, 0] - (255, 0, 0)).max() <= 2
