import io
import json
import tarfile

import pytest
from PIL import Image

from latelier.contracts.errors import DataError
from latelier.data.converters.recognize import open_manifest
from latelier.data.converters.shards import expand_shards
from latelier.data.pictures import decode_rgb, read_bytes


def png(color):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), color).save(buffer, "PNG")
    return buffer.getvalue()


def write_shard(path, files, mode="w"):
    with tarfile.open(path, mode) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


@pytest.fixture
def shards(tmp_path):
    write_shard(
        tmp_path / "train-00.tar",
        {
            "a/1.png": png("red"),
            "a/1.txt": b"a red square\n",
            "a/1.mask.png": png("white"),
            "2.jpg": png("blue"),
            "2.json": json.dumps({"caption": "blue", "label": 4, "url": "http://x"}).encode(),
        },
    )
    write_shard(tmp_path / "train-01.tar", {"3.webp": png("lime"), "3.cls": b"7", "4.txt": b"-"})
    return tmp_path


def test_pictures_are_read_from_their_place_in_the_shard(shards):
    manifest = open_manifest(shards)
    colors = [decode_rgb(read_bytes(manifest.root, record)).getpixel((0, 0)) for record in manifest]
    assert colors == [(255, 0, 0), (0, 0, 255), (0, 255, 0)]
    first, second, third = manifest
    assert (first.captions[0].text, first.name) == ("a red square", "train-00.tar: a/1")
    assert decode_rgb(read_bytes(manifest.root, first.mask)).getpixel((0, 0)) == (255, 255, 255)
    assert (second.captions[0].text, second.class_label, second.fields) == ("blue", 4, {})
    assert third.class_label == 7
    assert [each.name for each in manifest.skipped] == ["train-01.tar: 4"]


def test_a_pattern_names_several_shards(shards):
    assert len(open_manifest(shards / "train-{00..01}.tar")) == 3
    assert len(open_manifest(shards / "train-01.tar")) == 1
    assert expand_shards("{0..1}/{8..9}.tar") == [
        "0/8.tar", "0/9.tar", "1/8.tar", "1/9.tar",
    ]  # fmt: skip


def test_a_compressed_shard_is_an_error(tmp_path):
    write_shard(tmp_path / "a.tar", {"1.png": png("red")}, "w:gz")
    with pytest.raises(DataError, match=r"a.tar: expected an uncompressed tar file"):
        open_manifest(tmp_path / "a.tar")


def test_a_shard_that_was_cut_short_is_an_error(tmp_path):
    path = tmp_path / "a.tar"
    write_shard(path, {"1.png": b"x" * 5000})
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"a.tar: ends within '1.png'|a.tar: expected"):
        open_manifest(path)


def test_a_url_is_an_error_with_a_way_out(tmp_path):
    from pathlib import Path

    with pytest.raises(DataError, match="download its shards"):
        open_manifest(Path("https://example.org/train-{00..99}.tar"))
