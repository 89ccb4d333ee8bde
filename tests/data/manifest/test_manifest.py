import json

import pytest

from latelier.contracts.errors import DataError
from latelier.data.converters.recognize import open_manifest
from latelier.data.manifest.manifest import read_manifest, write_manifest
from latelier.data.manifest.parquet import write_parquet
from latelier.data.measure import measure_pictures

RECORD = {
    "file": "a.png",
    "captions": ["one", {"text": "two", "weight": 0.5}],
    "class_label": 2,
    "boxes": [{"box": [0, 0, 0.5, 1], "label": 1}],
    "semantic_map": "maps/a.png",
    "mask": {"shard": "masks.tar", "offset": 512, "length": 99},
    "weight": 2,
    "fields": {"degrees": 30},
}


def write_lines(path, *values):
    path.write_text("".join(json.dumps(each) + "\n" for each in values))
    return path


def test_a_record_is_read_with_all_its_fields(tmp_path):
    [record] = read_manifest(write_lines(tmp_path / "m.jsonl", RECORD))
    assert [(each.text, each.weight) for each in record.captions] == [("one", 1), ("two", 0.5)]
    assert (record.class_label, record.boxes[0].label, record.boxes[0].box.x1) == (2, 1, 0.5)
    assert (record.semantic_map.file, record.mask.shard, record.mask.offset) == (
        "maps/a.png", "masks.tar", 512,
    )  # fmt: skip
    assert (record.weight, record.fields, record.name) == (2, {"degrees": 30}, "a.png")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"files": "a.png"}, "there is no field 'files'. Did you mean 'file'"),
        ({}, "expected either file, or shard with offset and length"),
        ({"file": "/etc/passwd"}, "'file': expected a path below the root"),
        ({"file": "a/../../b.png"}, "'file': expected a path below the root"),
        ({"file": "C:\\b.png"}, "'file': expected a path below the root"),
        ({"file": "a.png", "mask": "../b.png"}, "expected a path below the root"),
        ({"shard": "a.tar"}, "expected a length of 1 byte or more"),
        ({"file": "a.png", "class_label": -1}, "'class_label': Input should be greater"),
        ({"file": "a.png", "boxes": [{"box": [0, 0, 1, 1]}]}, "boxes.0.label' is required"),
        ({"file": "a.png", "boxes": [{"box": [0, 0, 2, 1], "label": 0}]}, "boxes.0.box.x1"),
        ({"file": "a.png", "fields": {"prompt": "x"}}, "'prompt' is a field of the record"),
        (
            {"file": "a.png", "semantic_map": {"file": "b.png", "segments": {"1": 65536}}},
            "'semantic_map.segments.1': Input should be less than or equal to 65535",
        ),
        ({"file": "a.png", "captions": [{"text": "a", "weight": 0}]}, "a weight above 0"),
    ],
)
def test_an_invalid_line_is_named(tmp_path, line, message):
    path = write_lines(tmp_path / "m.jsonl", {"file": "ok.png"}, line)
    with pytest.raises(DataError) as caught:
        read_manifest(path)
    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert message in str(caught.value)


def test_several_invalid_lines_are_named_together(tmp_path):
    lines = [{"file": f"{number}.png", "class_label": -(number % 2)} for number in range(60)]
    with pytest.raises(DataError) as caught:
        read_manifest(write_lines(tmp_path / "m.jsonl", *lines))
    message = str(caught.value)
    assert "m.jsonl, line 2: 'class_label'" in message
    assert "; line 20: 'class_label'" in message
    assert message.endswith("; and 20 more")


@pytest.mark.parametrize("text", ["{", "[]", "\xff", "9" * 5000])
def test_a_line_that_is_no_json_object_is_named(tmp_path, text):
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'{"file": "a.png"}\n\n' + text.encode("latin-1"))
    with pytest.raises(DataError, match=r"m.jsonl, line 3: expected a JSON object"):
        read_manifest(path)


def test_an_empty_manifest_is_an_error(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text('{"latelier_manifest": 1}\n')
    with pytest.raises(DataError, match=r"m.jsonl: no pictures found"):
        read_manifest(path)


@pytest.mark.parametrize("name", ["manifest.jsonl", "manifest.parquet"])
def test_a_manifest_written_elsewhere_finds_its_files(tmp_path, draw, name):
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    draw("pictures/cat/a.png", size=(8, 6))
    draw("pictures/dog/b.png", size=(6, 8))
    (tmp_path / "pictures/cat/a.txt").write_text("ein Kätzchen")
    manifest = measure_pictures(open_manifest(tmp_path / "pictures"))
    path = tmp_path / "elsewhere" / name
    write = write_parquet if name.endswith(".parquet") else write_manifest
    write(manifest, path)
    again = open_manifest(path.parent, tmp_path / "pictures")
    assert list(again) == list(manifest)
    assert again.sizes.tolist() == [[8, 6], [6, 8]]
    assert again.root.resolve() == manifest.root
    assert again.header.class_names == ("cat", "dog")


def test_measuring_skips_what_cannot_be_read(tmp_path, draw):
    draw("a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    manifest = measure_pictures(open_manifest(tmp_path))
    assert [record.file for record in manifest] == ["a.png"]
    assert [each.name for each in manifest.skipped] == ["b.png"]


def test_upright_sizes_are_measured(tmp_path, draw):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter
    draw("a.jpg", size=(8, 6), exif=exif)
    assert measure_pictures(open_manifest(tmp_path)).sizes.tolist() == [[6, 8]]


def test_a_byte_order_mark_is_skipped(tmp_path):
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b'{"file": "a.png"}\n')
    assert [record.file for record in read_manifest(path)] == ["a.png"]


def test_parquet_with_a_damaged_header_is_an_error(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"file": ["a.png"]}).replace_schema_metadata({"latelier_manifest": "{"})
    parquet.write_table(table, tmp_path / "manifest.parquet")
    with pytest.raises(DataError, match=r"manifest.parquet: 'latelier_manifest': expected JSON"):
        open_manifest(tmp_path)
