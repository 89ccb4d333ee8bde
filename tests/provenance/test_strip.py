"""Provenance can be taken out: nothing of it remains in the file, and the pixels are the same."""

import stat
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from latelier.contracts.errors import InvalidInputError
from latelier.provenance.image_files import read_provenance
from latelier.provenance.strip import strip

SECRET = "a red cat in a meadow"


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def names(path):
    data, start, found = path.read_bytes(), 8, []
    while start < len(data):
        (length,) = struct.unpack_from(">I", data, start)
        found.append(data[start + 4 : start + 8].decode())
        start += 12 + length
    return found


@pytest.fixture
def written(tmp_path):
    """A picture with everything in it that could tell of it, plain and compressed."""
    info = PngInfo()
    info.add_text("prompt", SECRET)
    info.add_text("prompt", SECRET, zip=True)
    info.add_itxt("latelier", SECRET)
    info.add_itxt("XML:com.adobe.xmp", f"<x:xmpmeta>{SECRET}</x:xmpmeta>")
    levels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x010E] = SECRET
    path = tmp_path / "a.png"
    Image.fromarray(levels).save(path, pnginfo=info, exif=exif, dpi=(72, 72))
    data = path.read_bytes()
    private = chunk(b"tIME", bytes(7)) + chunk(b"caBX", SECRET.encode())
    path.write_bytes(data[:33] + private + data[33:] + SECRET.encode())
    return path


def test_a_stripped_png_has_only_the_picture(written, tmp_path):
    before = Image.open(written).tobytes()
    output = tmp_path / "clean" / "a.png"
    strip(written, output)
    assert set(names(output)) == {"IHDR", "pHYs", "IDAT", "IEND"}
    assert SECRET.encode() not in output.read_bytes()
    image = Image.open(output)
    assert image.tobytes() == before
    assert image.text == {}
    assert not image.getexif()
    assert SECRET.encode() in written.read_bytes()


def test_files_are_replaced_in_place(written):
    before = Image.open(written).tobytes()
    strip(written)
    assert set(names(written)) == {"IHDR", "pHYs", "IDAT", "IEND"}
    assert Image.open(written).tobytes() == before
    assert [each.name for each in written.parent.iterdir()] == ["a.png"]


def test_replacing_keeps_the_mode_and_follows_links(written):
    link = written.with_name("link.png")
    link.symlink_to(written)
    written.chmod(0o600)
    strip(link)
    assert link.is_symlink()
    assert SECRET.encode() not in written.read_bytes()
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_provenance_is_removed(tiny, tmp_path):
    (picture,) = tiny.generate(prompt=SECRET, seed=123454321, steps=1)
    path = tmp_path / "a.png"
    picture.save(path)
    assert read_provenance(path)[1]["seed"] == 123454321
    strip(path)
    with pytest.raises(InvalidInputError, match="carries no provenance"):
        read_provenance(path)
    assert set(names(path)) == {"IHDR", "IDAT", "IEND"}
    assert Image.open(path).tobytes() == picture.image.tobytes()


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "1", "I;16", "LA"])
def test_pixels_of_every_mode_are_unchanged(tmp_path, mode):
    path = tmp_path / "a.png"
    source = Image.linear_gradient("L").resize((9, 7))
    image = source.convert("RGB").convert(mode) if mode == "P" else source.convert(mode)
    info = PngInfo()
    info.add_text("prompt", SECRET)
    image.save(path, pnginfo=info, transparency=0 if mode == "P" else None)
    before = Image.open(path)
    strip(path)
    after = Image.open(path)
    assert (after.mode, after.tobytes()) == (before.mode, before.tobytes())
    assert after.convert("RGBA").tobytes() == before.convert("RGBA").tobytes()


def cut(data):
    return data[:-30]


def bent(data):
    return data[:50] + b"\0" + data[51:]


def endless(data):
    return data.replace(b"IEND", b"IEXT")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"GIF89a" + data, "expected a PNG or JPEG"),
        (lambda data: b"", "expected a PNG or JPEG"),
        (cut, "is damaged"),
        (bent, "the chunk at byte 33 is not whole"),
        (endless, "is damaged"),
        (lambda data: data[:8] + b"\xff" * 40, "is damaged"),
    ],
)
def test_invalid_files_are_not_changed(written, damage, message):
    data = damage(written.read_bytes())
    written.write_bytes(data)
    with pytest.raises(InvalidInputError, match=message):
        strip(written)
    assert written.read_bytes() == data


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(InvalidInputError, match="cannot be read: No such file"):
        strip(tmp_path / "none.png")


@pytest.fixture
def photograph(tmp_path):
    """A JPEG with a comment, EXIF, XMP, a colour profile and bytes after its end."""
    exif = Image.Exif()
    exif[0x010E] = SECRET
    path = tmp_path / "a.jpg"
    levels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    profile, xmp = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), SECRET
    Image.fromarray(levels).save(
        path, comment=SECRET, exif=exif, xmp=xmp.encode(), icc_profile=profile, progressive=True
    )
    path.write_bytes(path.read_bytes() + SECRET.encode())
    return path


def test_a_stripped_jpeg_has_only_the_picture(photograph):
    before = Image.open(photograph)
    pixels, profile = before.tobytes(), before.info["icc_profile"]
    strip(photograph)
    assert SECRET.encode() not in photograph.read_bytes()
    after = Image.open(photograph)
    assert after.tobytes() == pixels
    assert after.info["icc_profile"] == profile
    assert not after.getexif()
    assert "comment" not in after.info


def test_a_jpeg_without_an_end_is_damaged(photograph):
    whole = photograph.read_bytes()
    photograph.write_bytes(whole[: whole.index(b"\xff\xd9")])
    with pytest.raises(InvalidInputError, match="is damaged: it ends before its picture does"):
        strip(photograph)
