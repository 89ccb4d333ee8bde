"""The standard inputs: read from what people and hosts have, written as JSON, shown as forms."""

import base64
import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from pydantic import Field

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frozen import Frozen, validate
from latelier.contracts.image_types import Image, Mask, SemanticMap
from latelier.contracts.inputs import Box, Color, bare_field, read_input


class Everything(Frozen):
    image: Image = Field(description="a picture")
    mask: Mask | None = None
    box: Box | None = None
    color: Color = "black"


PICTURE = Pillow.new("RGB", (3, 2), (10, 20, 30))


def encoded(image, kind="PNG"):
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def data_uri(data, kind="png"):
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def read(**values):
    return validate(Everything, {"image": PICTURE, **values}, "input", InvalidInputError)


def test_an_image_from_pillow_a_path_and_data_uris(tmp_path):
    path = tmp_path / "picture.png"
    PICTURE.save(path)
    sources = [PICTURE, path, str(path), data_uri(encoded(PICTURE))]
    assert {read(image=each).image.tobytes() for each in sources} == {PICTURE.tobytes()}
    jpeg = read(image=data_uri(encoded(PICTURE, "JPEG"), "jpeg")).image
    assert jpeg.size == (3, 2)


@pytest.mark.parametrize(("given", "mode"), [("L", "RGB"), ("RGBA", "RGB"), ("P", "RGB")])
def test_images_become_rgb_and_masks_grey(given, mode):
    values = read(image=PICTURE.convert(given), mask=PICTURE.convert("1"))
    assert values.image.mode == mode
    assert values.mask.mode == "L"


def test_a_mask_is_white_where_it_is_repainted():
    mask = Pillow.new("1", (2, 1))
    mask.putpixel((1, 0), 1)
    assert list(read(mask=mask).mask.tobytes()) == [0, 255]


def test_a_mask_of_0_and_1_is_one_of_0_and_255():
    halves = np.array([[0, 1]], dtype=np.uint8)
    for value in (halves, halves.astype(bool), Pillow.fromarray(halves), torch.tensor(halves)):
        assert list(read(mask=value).mask.tobytes()) == [0, 255]
    assert list(read(mask=np.array([[0, 7]], dtype=np.uint8)).mask.tobytes()) == [0, 7]


def test_images_from_arrays_and_tensors():
    levels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10
    tensor = torch.tensor(levels, dtype=torch.float32).permute(2, 0, 1) / 127.5 - 1
    for value in (levels, tensor, tensor.numpy(), tensor.double()):
        image = read(image=value).image
        assert image.size == (4, 2)
        assert np.array_equal(np.asarray(image), levels)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("image", np.zeros((2, 3)), r"float \(3, H, W\) in \[-1, 1\] .*not float64 of .*\(2, 3\)"),
        ("image", np.full((3, 2, 2), 1.5), r"\[-1, 1\], and this one from 1.5 to 1.5"),
        ("image", np.full((3, 2, 2), np.nan), r"\[-1, 1\]"),
        ("image", np.zeros((3, 0, 2)), "is empty"),
        ("image", torch.zeros(3, 2, 2, requires_grad=True), "cannot be read"),
        ("mask", np.zeros((2, 2)), r"bool or uint8 \(H, W\), not float64"),
        ("mask", np.zeros((1, 2, 2), dtype=bool), r"bool of shape \(1, 2, 2\)"),
    ],
)
def test_arrays_that_are_none(field, value, said):
    with pytest.raises(InvalidInputError, match=said):
        read(**{field: value})


class Labelled(Frozen):
    map: SemanticMap


def labelled(value):
    return read_input(Labelled, value, "semantic_map").map


PALETTE_MAP = Pillow.fromarray(np.array([[0, 1, 2]], dtype=np.uint8), "P")
PALETTE_MAP.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])


@pytest.mark.parametrize(
    ("value", "mode", "ids"),
    [
        (np.array([[0, 1, 181]]), "L", [0, 1, 181]),
        (np.array([[0, 300, 65535]]), "I;16", [0, 300, 65535]),
        (torch.tensor([[0, 1, 2]]), "L", [0, 1, 2]),
        (np.array([[False, True]]), "L", [0, 1]),
        (Pillow.fromarray(np.array([[0, 300, 2]], dtype=np.uint16)), "I;16", [0, 300, 2]),
        (Pillow.fromarray(np.array([[0, 3, 2]], dtype=np.int32)), "L", [0, 3, 2]),
        (Pillow.fromarray(np.array([[0, 3, 2]], dtype=np.uint8)), "L", [0, 3, 2]),
        (Pillow.fromarray(np.array([[False, True]])), "L", [0, 1]),
        (PALETTE_MAP, "P", [0, 1, 2]),
    ],
)
def test_semantic_maps_of_labels(value, mode, ids, tmp_path):
    image = labelled(value)
    assert (image.mode, np.asarray(image)[0].tolist()) == (mode, ids)
    again = Labelled.model_validate_json(Labelled(map=image).model_dump_json()).map
    assert (again.mode, np.asarray(again)[0].tolist()) == (mode, ids)
    image.save(tmp_path / "map.png")
    assert np.asarray(labelled(tmp_path / "map.png"))[0].tolist() == ids


def test_semantic_maps_of_colours():
    colours = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    for value in (colours, Pillow.fromarray(colours), Pillow.fromarray(colours).convert("RGBA")):
        image = labelled(value)
        assert image.mode == "RGB"
        assert np.array_equal(np.asarray(image), colours)


def test_the_schema_of_a_semantic_map():
    assert Labelled.model_json_schema()["properties"]["map"]["format"] == "semantic-map"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.array([[-1, 0, -1]]), "labels are from 0 to 65535; this map has -1 in 2 pixels"),
        (np.array([[70000]]), "this map has 70000 in 1 pixels"),
        (np.zeros((2, 2)), r"whole numbers \(H, W\) or uint8 \(H, W, 3\), not float64"),
        (np.zeros((2, 2, 2), dtype=int), r"not int64 of shape \(2, 2, 2\)"),
        (Pillow.new("F", (2, 2)), "not of mode F"),
        ("nowhere.png", "no image can be read from 'nowhere.png'"),
        ({}, "'map' is required"),
    ],
)
def test_semantic_maps_that_are_none(value, said):
    with pytest.raises(InvalidInputError, match=said):
        labelled(value)


def bomb():
    """A PNG that claims 60,000 x 60,000 pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    "value",
    [
        3,
        None,
        b"bytes",
        "",
        "nowhere.png",
        "a\0b",
        "data:image/png;base64,%%%",
        data_uri(b"no picture"),
        data_uri(encoded(PICTURE)[:-30]),
        data_uri(bomb()),
    ],
)
def test_what_is_no_image_is_said(value):
    with pytest.raises(InvalidInputError, match=r"'image': .*(image|picture|path)") as caught:
        read(image=value)
    assert len(str(caught.value)) < 500


def test_a_directory_is_no_image(tmp_path):
    with pytest.raises(InvalidInputError, match="no image can be read"):
        read(image=tmp_path)


def test_a_truncated_file_is_no_image(tmp_path):
    noise = Pillow.effect_noise((64, 64), 50).convert("RGB")
    path = tmp_path / "cut.png"
    path.write_bytes(encoded(noise)[:2000])
    with pytest.raises(InvalidInputError, match=r"no image can be read from .*cut\.png"):
        read(image=path)


def test_inputs_survive_json():
    values = read(mask=PICTURE.convert("L"), box=[0.1, 0.2, 0.5, 1], color="tomato")
    again = Everything.model_validate_json(values.model_dump_json())
    assert again.image.tobytes() == PICTURE.tobytes()
    assert again.mask.tobytes() == PICTURE.convert("L").tobytes()
    assert again.box == Box(x0=0.1, y0=0.2, x1=0.5, y1=1)
    assert again.color == "#ff6347"


def test_the_schema_tells_a_host_what_form_to_draw():
    properties = Everything.model_json_schema()["properties"]
    assert properties["image"]["format"] == "image"
    assert properties["image"]["description"] == "a picture"
    assert properties["mask"]["anyOf"][0]["format"] == "mask"
    assert properties["color"] == {
        "default": "black",
        "format": "color",
        "title": "Color",
        "type": "string",
    }
    assert Everything.model_json_schema()["$defs"]["Box"]["format"] == "box"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([0, 0, 1], "a box is x0, y0, x1, y1, not 3 numbers"),
        ([0, 0, 1.5, 1], "less than or equal to 1"),
        ([-0.1, 0, 1, 1], "greater than or equal to 0"),
        ([0.5, 0, 0.5, 1], "a box needs x0 < x1 and y0 < y1"),
        ([0, 0.6, 1, 0.5], "a box needs x0 < x1 and y0 < y1"),
        ([0, 0, 1, float("nan")], "'box"),
        ({"x0": 0, "y0": 0, "x1": 1}, r"'box\.y1' is required"),
        ("left", "'box'"),
    ],
)
def test_boxes_that_are_none(value, said):
    with pytest.raises(InvalidInputError, match=said):
        read(box=value)


@pytest.mark.parametrize(
    ("value", "read_as"),
    [("red", "#ff0000"), ("#0f0", "#00ff00"), ("#0000ff", "#0000ff"), ("rgb(1,2,3)", "#010203")],
)
def test_colors(value, read_as):
    assert read(color=value).color == read_as


@pytest.mark.parametrize("value", ["reddish", "#12", 3, None, ""])
def test_colors_that_are_none(value):
    with pytest.raises(InvalidInputError, match="a color is '#rrggbb' or a CSS name"):
        read(color=value)


class One(Frozen):
    text: str
    note: str = ""


class Optional(Frozen):
    scale: float = 1.0


class Two(Frozen):
    a: int
    b: int


def test_a_bare_value_fills_the_one_required_field():
    assert read_input(One, "hi", "prompt") == One(text="hi")
    assert read_input(One, {"text": "hi", "note": "x"}, "prompt") == One(text="hi", note="x")
    assert read_input(Optional, 3, "scale") == Optional(scale=3)
    value = One(text="hi")
    assert read_input(One, value, "prompt") is value


@pytest.mark.parametrize(
    ("model", "value", "said"),
    [
        (Two, 3, "pair takes a mapping with the fields a, b"),
        (One, 3, "pair: 'text': Input should be a valid string"),
        (One, {"txt": "a"}, "there is no field 'txt'. Did you mean 'text'"),
        (One, None, "'text': Input should be a valid string"),
    ],
)
def test_inputs_that_do_not_fit(model, value, said):
    with pytest.raises(InvalidInputError, match=said):
        read_input(model, value, "pair")


def test_the_bare_field_is_known_without_a_value():
    assert bare_field(One, "x") == "text"
    assert bare_field(Optional, "x") == "scale"


def photographed(orientation, kind="PNG", mode="RGB"):
    """Return the file of a picture, white at its upper left, held as a camera's EXIF says."""
    held = Pillow.new(mode, (4, 2))
    held.paste("white", (0, 0, 1, 1))
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    held.save(buffer, kind, exif=exif)
    return buffer.getvalue()


# orientation: size, and where the white pixel is, as viewers show it
UPRIGHT = {
    1: ((4, 2), (0, 0)),
    2: ((4, 2), (3, 0)),
    3: ((4, 2), (3, 1)),
    4: ((4, 2), (0, 1)),
    5: ((2, 4), (0, 0)),
    6: ((2, 4), (1, 0)),
    7: ((2, 4), (1, 3)),
    8: ((2, 4), (0, 3)),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_pictures_are_turned_upright(tmp_path, orientation):
    size, white = UPRIGHT[orientation]
    data = photographed(orientation)
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    for each in (path, data_uri(data), Pillow.open(path)):
        picture = read(image=each).image
        assert picture.size == size
        assert picture.getpixel(white) == (255, 255, 255)
        again = read(image=Everything(image=each).model_dump(mode="json")["image"]).image
        assert again.tobytes() == picture.tobytes()


def test_masks_and_maps_are_turned_upright():
    data = data_uri(photographed(6, mode="L"))
    mask = read(mask=data).mask
    assert (mask.size, mask.getpixel((1, 0))) == ((2, 4), 255)
    labels = labelled(data)
    assert (labels.size, labels.getpixel((1, 0))) == ((2, 4), 255)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("exif", [b"", b"Exif\0\0MM\0\x2a\0\0\0\x08\xff", b"\xff" * 40])
def test_a_damaged_exif_says_nothing(exif):
    buffer = io.BytesIO()
    PICTURE.save(buffer, "PNG", exif=exif)
    assert read(image=data_uri(buffer.getvalue())).image.tobytes() == PICTURE.tobytes()
