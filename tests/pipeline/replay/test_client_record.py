"""Pictures that a client sends, with their provenance."""

import io
import struct
import zlib

import pytest
from PIL import Image

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images.reading import read_picture
from latelier.pipeline.replay.record import read_client_record
from latelier.pipeline.replay.replay import compare


@pytest.fixture(scope="module")
def picture(tiny):
    return tiny.generate(prompt="a cat", seed=7, n=2)[1]


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_the_record_of_a_picture_is_read(picture, kind):
    image, record = read_client_record(picture.to_bytes(kind))
    assert (image.mode, image.size) == ("RGB", (16, 16))
    assert (record.request.seed, record.index) == (7, 1)
    assert record.request.inputs == {"prompt": ["a cat"]}


def test_a_picture_made_again_is_compared(picture, tiny):
    image, record = read_client_record(picture.to_bytes())
    *_, last = tiny.stream_json(record.request.model_dump(mode="json"))
    report = compare(image, record, tiny, last.pictures[record.index])
    assert (report.verdict, report.altered, report.differences) == ("identical", False, ())
    other = compare(image, record, tiny, last.pictures[0])
    assert other.verdict == "different"


def large_png() -> bytes:
    """Return the header of a PNG of 13,000 x 13,000 pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 13_000, 13_000, 1, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    data = b"IDAT" + zlib.compress(b"\0")
    end = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    return b"\x89PNG\r\n\x1a\n" + chunk + end


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "its content is not a known image format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "its content is not a known image format"),
        (encoded("GIF"), "its content is not a known image format"),
        (encoded("PNG")[:40], "no image can be read"),
        (large_png(), "13000 x 13000 pixels; a client may send at most"),
        (encoded("PNG"), "carries no provenance"),
    ],
)
def test_anything_else_is_refused(data, words):
    with pytest.raises(InvalidInputError, match=words):
        read_client_record(data)


def test_a_picture_is_read_upright():
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (4, 2)).save(buffer, "JPEG", exif=exif)
    assert read_picture(buffer.getvalue()).size == (2, 4)
