import json

import numpy as np
import pytest
import torch
from PIL import Image

from latelier.contracts.errors import DataError
from latelier.data.converters.recognize import open_manifest
from latelier.data.pictures import UnusableError
from latelier.evaluation.protocol.data import EvaluationData
from latelier.evaluation.samples.files import FileSamples


def open_files(folder, count, side=None, **fields) -> FileSamples:
    data = EvaluationData(path=folder, **fields)
    size = None if side is None else (side, side)
    return FileSamples(open_manifest(folder), data, count, size)


def test_a_picture_of_the_right_size_is_itself(paint):
    folder = paint("a", "0.png")

    sample = open_files(folder, 1).read(0, {"image"})

    expected = torch.from_numpy(np.array(Image.open(folder / "0.png"))).permute(2, 0, 1)
    assert sample["index"] == 0
    assert torch.equal(sample["image"], expected)


def test_fewer_samples_are_spread_evenly(paint):
    folder = paint("a", *(f"{k}.png" for k in range(9)))

    samples = open_files(folder, 3)

    assert [samples.sample_name(k) for k in range(3)] == ["0.png", "3.png", "6.png"]


def test_a_picture_is_resized_in_whole_precision_not_as_jpeg_decoders_scale(paint):
    folder = paint("a", "0.jpg", size=(64, 64))

    image = open_files(folder, 1, side=16, resize="bicubic").read(0, {"image"})["image"]

    with Image.open(folder / "0.jpg") as picture:
        expected = picture.resize((16, 16), Image.Resampling.BICUBIC)
    assert torch.equal(image, torch.from_numpy(np.array(expected)).permute(2, 0, 1))


@pytest.mark.parametrize(("crop", "box"), [("center", (8, 0, 24, 16)), ("none", (0, 0, 32, 16))])
def test_the_crop_is_the_middle_or_the_whole(paint, crop, box):
    folder = paint("a", "0.png", size=(32, 16))

    image = open_files(folder, 1, side=8, crop=crop).read(0, {"image"})["image"]

    with Image.open(folder / "0.png") as picture:
        expected = picture.resize((8, 8), Image.Resampling.LANCZOS, box)
    assert torch.equal(image, torch.from_numpy(np.array(expected)).permute(2, 0, 1))


def test_pictures_of_several_sizes_need_a_size(paint):
    folder = paint("a", "0.png")
    paint("a", "1.png", size=(20, 16))

    samples = open_files(folder, 2)

    assert samples.size == (16, 16)
    with pytest.raises(DataError, match=r"1\.png is 20 x 16 pixels and the first picture 16 x 16"):
        samples.read(1, {"image"})
    assert open_files(folder, 2, side=8).read(1, {"image"})["image"].shape == (3, 8, 8)


def test_a_damaged_picture_is_unusable(paint):
    folder = paint("a", "0.png", "1.png")
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:100])

    with pytest.raises(UnusableError):
        open_files(folder, 2).read(1, {"image"})


def test_captions_and_classes_need_no_picture(paint):
    folder = paint("a", "0.png")
    record = {"file": "0.png", "captions": ["a cat"], "class_label": 3}
    (folder / "manifest.jsonl").write_text(json.dumps(record))
    (folder / "0.png").write_bytes(b"damaged")

    sample = open_files(folder, 1, side=16).read(0, {"prompt", "class_label"})

    assert sample["prompt"] == "a cat"
    assert sample["class_label"] == 3


def test_a_field_that_a_picture_lacks_is_an_error(paint):
    samples = open_files(paint("a", "0.png"), 1)

    with pytest.raises(DataError, match="have no caption"):
        samples.check_fields({"prompt"})


def test_facts_name_no_path_and_change_with_the_data(paint):
    first = open_files(paint("a", "0.png", "1.png"), 2).facts
    same = open_files(paint("b/c", "0.png", "1.png"), 2).facts
    other = open_files(paint("d", "0.png", "2.png"), 2).facts

    assert first == same
    assert first != other
    assert first["resize"] == "none"


def test_facts_change_with_the_files_that_are_read(paint):
    folder = paint("a", "0.png", "1.png")
    few, all_ = open_files(folder, 1).facts, open_files(folder, 2).facts

    paint("a", "1.png", seed=1)

    assert open_files(folder, 1).facts == few
    assert open_files(folder, 2).facts["source"] == all_["source"]
    assert open_files(folder, 2).facts["files"] != all_["files"]


def test_facts_change_with_masks(paint):
    folder = paint("a", "0.png", "mask.png")
    (folder / "manifest.jsonl").write_text(json.dumps({"file": "0.png", "mask": "mask.png"}))
    before = open_files(folder, 1).facts

    paint("a", "mask.png", seed=1)

    assert open_files(folder, 1).facts != before


def test_facts_of_a_missing_picture_are_there(paint):
    folder = paint("a", "0.png", "1.png")
    samples, before = open_files(folder, 2), open_files(folder, 2).facts
    (folder / "1.png").unlink()

    assert samples.facts["files"] != before["files"]
