"""Pictures as inputs: read from paths, data URIs and arrays, and written as JSON."""

import base64
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from pydantic import Field, ValidationError

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frozen import Frozen, validate
from latelier.contracts.images.types import Image, Mask, SemanticMap
from latelier.contracts.inputs import read_input


class Everything(Frozen):
    image: Image = Field(description="a picture")
    mask: Mask | None = None


PICTURE = Pillow.new("RGB", (3, 2), (10, 20, 30))


def encoded(image, kind="PNG"):
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def data_uri(data, kind="png"):
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def read(**values):
    return validate(Everything, {"image": PICTURE, **values}, "input", InvalidInputError)


def test_images_are_read_from_pil_paths_and_data_uris(tmp_path):
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


def test_a_mask_of_0_and_1_is_scaled_to_0_and_255():
    halves = np.array([[0, 1]], dtype=np.uint8)
    for value in (halves, halves.astype(bool), Pillow.fromarray(halves), torch.tensor(halves)):
        assert list(read(mask=value).mask.tobytes()) == [0, 255]
    assert list(read(mask=np.array([[0, 7]], dtype=np.uint8)).mask.tobytes()) == [0, 7]


def test_images_are_read_from_arrays_and_tensors():
    levels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10
    tensor = torch.tensor(levels, dtype=torch.float32).permute(2, 0, 1) / 127.5 - 1
    for value in (levels, tensor, tensor.numpy(), tensor.double()):
        image = read(image=value).image
        assert image.size == (4, 2)
        assert np.array_equal(np.asarray(image), levels)


@pytest.mark.parametrize(
    ("field", "value", "message"),
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
def test_invalid_arrays_are_refused(field, value, message):
    with pytest.raises(InvalidInputError, match=message):
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
def test_semantic_maps_are_read_from_labels(value, mode, ids, tmp_path):
    image = labelled(value)
    assert (image.mode, np.asarray(image)[0].tolist()) == (mode, ids)
    again = Labelled.model_validate_json(Labelled(map=image).model_dump_json()).map
    assert (again.mode, np.asarray(again)[0].tolist()) == (mode, ids)
    image.save(tmp_path / "map.png")
    assert np.asarray(labelled(tmp_path / "map.png"))[0].tolist() == ids


def test_semantic_maps_are_read_from_colours():
    colours = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    for value in (colours, Pillow.fromarray(colours), Pillow.fromarray(colours).convert("RGBA")):
        image = labelled(value)
        assert image.mode == "RGB"
        assert np.array_equal(np.asarray(image), colours)


def test_a_schema_has_the_format_of_semantic_maps():
    assert Labelled.model_json_schema()["properties"]["map"]["format"] == "semantic-map"


@pytest.mark.parametrize(
    ("value", "message"),
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
def test_invalid_semantic_maps_are_refused(value, message):
    with pytest.raises(InvalidInputError, match=message):
        labelled(value)


def png(width, height):
    """Return a PNG that claims more pixels than it has data for."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
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
        data_uri(png(60_000, 60_000)),
    ],
)
def test_invalid_images_are_refused(value):
    with pytest.raises(InvalidInputError, match=r"'image': .*(image|picture|path)") as caught:
        read(image=value)
    assert len(str(caught.value)) < 500


def test_a_directory_is_not_an_image(tmp_path):
    with pytest.raises(InvalidInputError, match="no image can be read"):
        read(image=tmp_path)


def test_a_truncated_file_is_not_an_image(tmp_path):
    noise = Pillow.effect_noise((64, 64), 50).convert("RGB")
    path = tmp_path / "cut.png"
    path.write_bytes(encoded(noise)[:2000])
    with pytest.raises(InvalidInputError, match=r"no image can be read from .*cut\.png"):
        read(image=path)


def test_images_and_masks_survive_json():
    values = read(mask=PICTURE.convert("L"))
    again = Everything.model_validate_json(values.model_dump_json())
    assert again.image.tobytes() == PICTURE.tobytes()
    assert again.mask.tobytes() == PICTURE.convert("L").tobytes()


def test_a_schema_has_the_formats_of_images_and_masks():
    properties = Everything.model_json_schema()["properties"]
    assert properties["image"]["format"] == "image"
    assert properties["image"]["description"] == "a picture"
    assert properties["mask"]["anyOf"][0]["format"] == "mask"


def photograph(orientation, kind="PNG", mode="RGB"):
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
def test_exif_orientation_is_applied_to_pictures(tmp_path, orientation):
    size, white = UPRIGHT[orientation]
    data = photograph(orientation)
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    for each in (path, data_uri(data), Pillow.open(path)):
        picture = read(image=each).image
        assert picture.size == size
        assert picture.getpixel(white) == (255, 255, 255)
        again = read(image=Everything(image=each).model_dump(mode="json")["image"]).image
        assert again.tobytes() == picture.tobytes()


def test_exif_orientation_is_applied_to_masks_and_maps():
    data = data_uri(photograph(6, mode="L"))
    mask = read(mask=data).mask
    assert (mask.size, mask.getpixel((1, 0))) == ((2, 4), 255)
    labels = labelled(data)
    assert (labels.size, labels.getpixel((1, 0))) == ((2, 4), 255)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("exif", [b"", b"Exif\0\0MM\0\x2a\0\0\0\x08\xff", b"\xff" * 40])
def test_damaged_exif_data_are_ignored(exif):
    buffer = io.BytesIO()
    PICTURE.save(buffer, "PNG", exif=exif)
    assert read(image=data_uri(buffer.getvalue())).image.tobytes() == PICTURE.tobytes()


def untrusted(**values):
    return read_input(Everything, {"image": PICTURE, **values}, "input", trusted=False)


def test_clients_may_send_data_uris():
    assert untrusted(image=data_uri(encoded(PICTURE))).image.tobytes() == PICTURE.tobytes()


@pytest.mark.parametrize("field", ["image", "mask"])
@pytest.mark.parametrize("as_text", [str, Path])
def test_clients_cannot_open_files(tmp_path, field, as_text):
    path = tmp_path / "picture.png"
    PICTURE.save(path)
    assert read(**{field: as_text(path)})
    with pytest.raises(InvalidInputError, match="expected a picture as a data URI") as caught:
        untrusted(**{field: as_text(path)})
    assert caught.value.field == f"input.{field}"
    with pytest.raises(ValidationError, match="expected a picture as a data URI"):
        Everything.model_validate_json(json.dumps({"image": str(path)}))


def test_the_size_of_a_picture_from_a_client_is_checked_before_it_is_decoded(monkeypatch):
    """Its data are missing: what were decoded would fail with another message."""
    large = data_uri(png(6000, 6000))
    with pytest.raises(InvalidInputError, match="6000 x 6000 pixels; a client may send at most"):
        untrusted(image=large)
    with pytest.raises(InvalidInputError, match=r"no image can be read.*truncated"):
        read(image=large)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_clients_may_send_common_formats(kind):
    assert untrusted(image=data_uri(encoded(PICTURE, kind), kind.lower()))


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "BMP"])
def test_clients_may_send_no_other_formats(kind):
    other = data_uri(encoded(PICTURE, kind), kind.lower())
    assert read(image=other)
    with pytest.raises(InvalidInputError, match="no image can be read"):
        untrusted(image=other)


def test_the_first_picture_of_an_animation_is_read():
    others = [Pillow.new("RGB", (3, 2), color) for color in ("white", "black")]
    for kind in ("GIF", "PNG", "WEBP"):
        buffer = io.BytesIO()
        PICTURE.save(buffer, kind, save_all=True, append_images=others, lossless=True)
        image = read(image=data_uri(buffer.getvalue(), kind.lower())).image
        assert image.getpixel((0, 0)) == PICTURE.getpixel((0, 0))
