"""Files of pictures: a PNG or a JPEG by its suffix, both with provenance."""

import io

import numpy as np
import pytest
from PIL import Image

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images.reading import open_picture
from latelier.provenance.image_files import encode_image, read_provenance, write_image

PROVENANCE = {"prompt": "ein Kätzchen 猫", "seed": 5}
LEVELS = np.linspace(0, 255, 24 * 16 * 3).reshape(16, 24, 3).astype(np.uint8)
PICTURE = Image.fromarray(LEVELS)


@pytest.mark.parametrize(
    ("name", "file_format"), [("a.png", "PNG"), ("a.jpg", "JPEG"), ("b.JPEG", "JPEG")]
)
def test_the_suffix_decides_the_format_and_every_format_carries_provenance(
    tmp_path, name, file_format
):
    write_image(tmp_path / name, PICTURE, PROVENANCE)
    assert Image.open(tmp_path / name).format == file_format
    image, provenance = read_provenance(tmp_path / name)
    assert provenance == PROVENANCE
    most = 0 if file_format == "PNG" else 8
    assert np.abs(np.asarray(image, dtype=int) - LEVELS).max() <= most


@pytest.mark.parametrize("name", ["a.webp", "a.tiff", "a", "png"])
def test_another_suffix_is_refused_and_nothing_written(tmp_path, name):
    with pytest.raises(InvalidInputError, match=r"written as \.png, \.jpg, \.jpeg, not as"):
        write_image(tmp_path / name, PICTURE, PROVENANCE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file_format", ["png", "jpeg"])
def test_encoded_bytes_equal_the_file(tmp_path, file_format):
    path = tmp_path / f"a.{file_format}"
    path.write_bytes(encode_image(PICTURE, PROVENANCE, file_format))
    assert read_provenance(path)[1] == PROVENANCE


def test_another_format_is_refused():
    with pytest.raises(InvalidInputError, match="expected 'png' or 'jpeg', got 'gif'") as caught:
        encode_image(PICTURE, PROVENANCE, "gif")
    assert caught.value.field == "format"


def test_a_jpeg_without_provenance_has_no_comment():
    assert "comment" not in Image.open(io.BytesIO(encode_image(PICTURE, None, "jpeg"))).info


def test_a_jpeg_stores_large_pictures_as_their_hash(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    from latelier.contracts.images.reading import to_data_uri

    uri = to_data_uri(Image.fromarray(noise))
    write_image(tmp_path / "a.jpg", PICTURE, {"init_image": [uri], **PROVENANCE})
    _, provenance = read_provenance(tmp_path / "a.jpg")
    assert provenance["init_image"][0].keys() == {"picture_sha256", "mode", "size"}


def test_a_provenance_too_long_for_a_jpeg_is_refused():
    with pytest.raises(InvalidInputError, match="a JPEG holds 65533; save a PNG"):
        encode_image(PICTURE, {"prompt": "x" * 70_000}, "jpeg")


ERRORS = [
    RuntimeError("damaged"),
    NotImplementedError("damaged"),
    IndexError("damaged"),
    KeyError("damaged"),
    Image.DecompressionBombError("damaged"),
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_damaged_picture_is_no_picture(tmp_path, monkeypatch, error):
    def fail(*_arguments, **_options):
        raise error

    path = tmp_path / "a.dds"
    path.touch()
    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(InvalidInputError, match=r"no picture can be read: .*damaged"):
        read_provenance(path)
    with pytest.raises(ValueError, match=r"no image can be read from .*damaged"):
        open_picture(str(path))


def test_a_damaged_dds_is_no_picture(tmp_path):
    path = tmp_path / "a.dds"
    PICTURE.save(path)
    data = bytearray(path.read_bytes())
    data[80:84] = (0).to_bytes(4, "little")  # flags of the pixel format: Pillow implements none
    path.write_bytes(data)
    with pytest.raises(InvalidInputError, match="no picture can be read: "):
        read_provenance(path)
    with pytest.raises(ValueError, match="no image can be read from "):
        open_picture(str(path))
