import json

import pytest

from latelier.contracts.errors import DataError
from latelier.data.converters.recognize import open_manifest


def names(manifest):
    return [record.file for record in manifest]


def test_pictures_are_found_below_the_folder_in_order(tmp_path, draw):
    for name in ("b.JPG", "a/c.png", ".hidden/d.png", "e.txt/.f.png"):
        draw(name)
    assert names(open_manifest(tmp_path)) == ["a/c.png", "b.JPG"]


def test_each_line_of_a_text_file_is_a_caption(tmp_path, draw):
    draw("cat.png")
    draw("dog.png")
    (tmp_path / "cat.txt").write_text("\ufeffa cat\n\n  a red cat \n", encoding="utf-8")
    cat, dog = open_manifest(tmp_path)
    assert [(each.text, each.weight) for each in cat.captions] == [("a cat", 1), ("a red cat", 1)]
    assert dog.captions == ()


def test_folders_of_the_first_level_are_classes(tmp_path, draw):
    for name in ("dog/1.png", "cat/old/2.png", "cat/3.png"):
        draw(name)
    manifest = open_manifest(tmp_path)
    assert manifest.header.class_names == ("cat", "dog")
    assert {record.file: record.class_label for record in manifest} == {
        "cat/3.png": 0, "cat/old/2.png": 0, "dog/1.png": 1,
    }  # fmt: skip


@pytest.mark.parametrize("files", [("a/1.png", "b.png"), ("a/1.png", "a/2.png")])
def test_other_folders_are_no_classes(tmp_path, draw, files):
    for name in files:
        draw(name)
    assert {record.class_label for record in open_manifest(tmp_path)} == {None}


def test_formats_that_are_not_read_are_reported(tmp_path, draw):
    draw("a.png")
    (tmp_path / "b.heic").write_bytes(b"")
    manifest = open_manifest(tmp_path)
    assert len(manifest) == 1
    assert [(each.name, each.reason) for each in manifest.skipped] == [
        ("b.heic", "pictures in the format .heic are not read")
    ]


def test_metadata_as_json_lines(tmp_path, draw):
    draw("train/a.png", size=(10, 20))
    draw("train/b.png")
    draw("train/a-map.png")
    draw("train/c.png")
    rows = [
        {
            "file_name": "a.png",
            "text": "a thing",
            "label": "thing",
            "semantic_map_file_name": "a-map.png",
            "objects": {"bbox": [[5, 5, 5, 10]], "categories": ["leaf"]},
            "degrees": 30,
        },
        {"file_name": "b.png", "captions": ["one", {"text": "two", "weight": 3}], "label": "other"},
    ]
    (tmp_path / "train/metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    manifest = open_manifest(tmp_path)
    a, b = manifest
    assert (a.file, a.captions[0].text, a.class_label, a.fields) == (
        "train/a.png", "a thing", 1, {"degrees": 30},
    )  # fmt: skip
    assert a.semantic_map.file == "train/a-map.png"
    [box] = a.boxes
    assert (box.label, box.box.x0, box.box.y0, box.box.x1, box.box.y1) == (0, 0.5, 0.25, 1, 0.75)
    assert [(each.text, each.weight) for each in b.captions] == [("one", 1), ("two", 3)]
    assert (manifest.header.class_names, manifest.header.box_names) == (
        ("other", "thing"), ("leaf",),
    )  # fmt: skip
    assert [each.name for each in manifest.skipped] == ["train/c.png"]


def test_metadata_as_csv(tmp_path, draw):
    draw("a.png")
    (tmp_path / "metadata.csv").write_text('file_name,text,label\na.png,"a thing, red",3\n')
    [record] = open_manifest(tmp_path / "metadata.csv")
    assert (record.captions[0].text, record.class_label) == ("a thing, red", 3)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "x"}, "line 2: expected the column 'file_name'"),
        ({"file_name": "../a.png"}, "line 2: 'file': expected a path below the root"),
        ({"file_name": "a.png", "label": -1}, "line 2: expected a class as a number from 0"),
        ({"file_name": "a.png", "label": 1}, "other rows give classes by name"),
        (
            {"file_name": "a.png", "objects": {"bbox": [[0, 0, 1, 1]]}},
            "line 2: objects: expected boxes in 'bbox' and their classes in 'categories'",
        ),
        (
            {"file_name": "a.png", "objects": {"bbox": [[9, 9, 1, 1]], "categories": [0]}},
            "line 2: the box 9, 9, 1, 1 has no area inside of the picture of 8 x 6 pixels",
        ),
    ],
)
def test_an_invalid_row_names_its_line(tmp_path, draw, row, message):
    draw("a.png")
    rows = [{"file_name": "a.png", "label": "thing"}, row]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(DataError, match=message.replace("(", "\\(")):
        open_manifest(tmp_path)


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0b"])
def test_only_line_feeds_end_a_line(tmp_path, draw, separator):
    text = f"a cat{separator}in a hat"
    for name in ("text", "json", "csv"):
        draw(f"{name}/a.png")
    (tmp_path / "text/a.txt").write_text(text + "\r\n", encoding="utf-8")
    (tmp_path / "csv/metadata.csv").write_text(f"file_name,text\na.png,{text}\n", encoding="utf-8")
    row = json.dumps({"file_name": "a.png", "text": text}, ensure_ascii=False)
    (tmp_path / "json/metadata.jsonl").write_text(row + "\n", encoding="utf-8")
    for name in ("text", "json", "csv"):
        [record] = open_manifest(tmp_path / name)
        assert [each.text for each in record.captions] == [text]


def test_links_are_followed_but_not_in_circles(tmp_path, draw):
    draw("outside/c.png")
    for name in ("x", "y"):
        draw(f"set/{name}/a.png")
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "outside")
    for link, target in (("x/to-y", "y"), ("y/to-x", "x"), ("x/up", "."), ("x/root", "/")):
        (tmp_path / "set" / link).symlink_to(tmp_path / "set" / target)
    assert names(open_manifest(tmp_path / "set")) == [
        "linked/c.png", "x/a.png", "x/to-y/a.png", "y/a.png", "y/to-x/a.png",
    ]  # fmt: skip
