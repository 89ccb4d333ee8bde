import json

import numpy as np
import pytest
from PIL import Image

from latelier.contracts.errors import DataError
from latelier.data.check.check import check_data
from latelier.data.check.page import draw_check_sheet, make_page
from latelier.data.converters.recognize import open_manifest


def check(folder):
    manifest = open_manifest(folder)
    return check_data(manifest, manifest)


def findings(result):
    return {each.text: (each.severity, each.samples) for each in result.findings}


def noise(seed, size=(80, 80)):
    pixels = np.random.default_rng(seed).integers(0, 255, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def write_manifest_lines(folder, header, *records):
    lines = [{"latelier_manifest": 1, **header}, *records]
    (folder / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_sound_data_set_has_no_findings(tmp_path):
    for number in range(3):
        noise(number).save(tmp_path / f"{number}.png")
        (tmp_path / f"{number}.txt").write_text(f"picture number {number}")
    result = check(tmp_path)
    assert result.findings == []
    assert not result.has_problems
    assert result.numbers["captions"] == {
        "pictures_with": 3, "pictures_without": 0, "total": 3, "distinct": 3, "empty": 0,
        "words": {"least": 3, "median": 3, "most": 3},
    }  # fmt: skip
    assert result.numbers["sizes"] == {
        "smallest": [80, 80], "largest": [80, 80], "short_side": {"64 to 127": 3},
        "aspect_ratio": {"1:1": 3},
    }  # fmt: skip


def test_damaged_files_are_problems_with_their_reason(tmp_path):
    noise(0).save(tmp_path / "a.png")
    for number in range(2):
        noise(number, (300, 300)).save(tmp_path / f"cut{number}.jpg")
        data = (tmp_path / f"cut{number}.jpg").read_bytes()
        (tmp_path / f"cut{number}.jpg").write_bytes(data[: len(data) // 2 + number])
    (tmp_path / "text.png").write_text("no picture")
    found = findings(check(tmp_path))
    assert found["cannot be used: image file is truncated"] == ("problem", ("cut0.jpg", "cut1.jpg"))
    assert found["cannot be used: its content is not a known image format"][1] == ("text.png",)


def test_unusual_pictures_are_notes(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    noise(0, (80, 100)).save(tmp_path / "turned.jpg", exif=exif)
    noise(1).convert("CMYK").save(tmp_path / "cmyk.jpg")
    deep = np.asarray(noise(2).convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "deep.png")
    noise(3).save(tmp_path / "film.gif", save_all=True, append_images=[noise(4)])
    noise(5).save(tmp_path / "small.png")
    Image.new("RGBA", (80, 80), (9, 9, 9, 9)).save(tmp_path / "clear.png")
    noise(6, (10, 10)).save(tmp_path / "tiny.png")
    result = check(tmp_path)
    assert not result.has_problems
    names = {text.split(";")[0]: samples for text, (_, samples) in findings(result).items()}
    assert names == {
        "turned by their EXIF orientation": ("turned.jpg",),
        "in CMYK": ("cmyk.jpg",),
        "of 16 bits": ("deep.png",),
        "animated": ("film.gif",),
        "with transparency": ("clear.png",),
        "with a side below 64 pixels": ("tiny.png",),
    }
    assert result.numbers["sizes"]["largest"] == [100, 80]  # the turned one, upright


def test_duplicates_are_found(tmp_path):
    noise(0, (200, 200)).save(tmp_path / "a.png")
    noise(0, (200, 200)).save(tmp_path / "b.png")
    noise(0, (200, 200)).resize((90, 90)).save(tmp_path / "c.jpg", quality=80)
    noise(1, (200, 200)).save(tmp_path / "d.png")
    for color in ("red", "blue"):  # plain pictures have the same gradient
        Image.new("RGB", (80, 80), color).save(tmp_path / f"{color}.png")
    found = findings(check(tmp_path))
    assert found["groups of the same picture under several names"] == (
        "problem",
        ("a.png = b.png",),
    )
    assert found["pairs that look nearly the same"] == ("note", ("a.png ~ c.jpg", "b.png ~ c.jpg"))


def test_missing_annotations_and_labels_out_of_range_are_problems(tmp_path):
    for number in range(3):
        noise(number).save(tmp_path / f"{number}.png")
    box = {"box": [0, 0, 0.5, 0.5]}
    write_manifest_lines(
        tmp_path,
        {"class_names": ["cat", "dog"], "box_names": ["leaf"]},
        {"file": "0.png", "captions": ["", "x"], "class_label": 1, "boxes": [{**box, "label": 0}]},
        {"file": "1.png", "class_label": 2, "boxes": [{**box, "label": 3}]},
        {"file": "2.png", "boxes": [{"box": [0, 0, 0.001, 0.001], "label": 0}]},
    )
    result = check(tmp_path)
    assert findings(result) == {
        "with an empty caption": ("problem", ("0.png",)),
        "without a caption, although others have one": ("problem", ("1.png", "2.png")),
        "without a class, although others have one": ("problem", ("2.png",)),
        "with a class outside of 0..1": ("problem", ("1.png",)),
        "with a box with a label outside of 0..0": ("problem", ("1.png",)),
        "with a box of less than 1/10,000 of the picture": ("problem", ("2.png",)),
    }
    assert result.numbers["classes"]["pictures"] == {"dog": 1, "2": 1}
    assert result.numbers["boxes"]["labels"] == {"leaf": 2, "3": 1}


def test_maps_and_masks_are_read(tmp_path):
    for number in range(3):
        noise(number).save(tmp_path / f"{number}.png")
    Image.new("L", (40, 40), 7).save(tmp_path / "map.tiff")
    Image.new("L", (40, 20), 7).save(tmp_path / "wide.tiff")
    write_manifest_lines(
        tmp_path,
        {"map_names": ["a", "b"]},
        {"file": "0.png", "semantic_map": "map.tiff"},
        {"file": "1.png", "semantic_map": "wide.tiff"},
        {"file": "2.png", "mask": "missing.png"},
    )
    result = check(tmp_path)
    found = findings(result)
    assert found["with a label of its map outside of 0..1"][1] == ("0.png",)
    wide = "cannot be used: its semantic map is 40 x 20 and the picture 80 x 80: they differ in"
    assert found[f"{wide} their aspect ratio"][1] == ("1.png",)
    missing = "cannot be used: its mask 'missing.png': No such file or directory"
    assert found[missing][1] == ("2.png",)
    assert result.numbers["maps"]["greatest_label"] == 7


def test_the_page_is_whole_and_shows_texts_as_texts(tmp_path):
    for number in range(70):
        noise(number).save(tmp_path / f"{number:02d}.png")
    (tmp_path / "00.txt").write_text("<script>alert(1)</script>")
    page = make_page(check(tmp_path))
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert "http" not in page
    assert page.count("<img ") == 64
    assert draw_check_sheet(check(tmp_path)).width > 1000


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no pictures found"):
        check(tmp_path)
