"""Crops, resizing and flips, the same for pictures, boxes, maps and masks."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from latelier.data.manifest.record import LabelledBox
from latelier.training.configs.data import DataConfig
from latelier.training.data.datasets import make_training_samples
from latelier.training.data.views import View, choose_view, show, show_boxes

BOX = LabelledBox(box=[0.5, 0.25, 1, 0.75], label=3)


def view_of(picture, size, seed=0, **config):
    return choose_view(picture, size, DataConfig(**config), np.random.default_rng(seed))


def test_the_largest_crop_of_the_aspect_ratio_is_centered():
    assert view_of((200, 100), (64, 64)).crop == (0.25, 0, 0.75, 1)
    assert view_of((100, 200), (64, 32)).crop == (0, 0.375, 1, 0.625)
    assert view_of((100, 50), (64, 32)) == View((64, 32), (0, 0, 1, 1), False)


def test_random_crops_lie_inside_and_have_the_aspect_ratio():
    config = {"crop": "random", "crop_scale": (0.5, 0.9)}
    views = [view_of((300, 200), (64, 32), seed, **config) for seed in range(50)]
    for view in views:
        x0, y0, x1, y1 = view.crop
        assert 0 <= x0 < x1 <= 1
        assert 0 <= y0 < y1 <= 1
        assert (x1 - x0) * 300 == pytest.approx(2 * (y1 - y0) * 200)
        assert 0.5 <= (x1 - x0) <= 0.9
    assert len({view.crop for view in views}) == 50


def test_half_of_the_views_are_flipped():
    views = [view_of((8, 8), (8, 8), seed, flip=True) for seed in range(200)]
    assert 70 < sum(view.is_flipped for view in views) < 130


def test_a_picture_of_the_right_size_stays_as_it_is():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8))
    assert show(image, View((8, 8), (0, 0, 1, 1), False), Image.Resampling.LANCZOS) is image


def test_boxes_follow_the_crop_and_the_flip():
    [shown] = show_boxes([BOX], View((8, 8), (0, 0, 1, 1), False))
    assert shown == {"box": (0.5, 0.25, 1, 0.75), "label": 3}
    [shown] = show_boxes([BOX], View((8, 8), (0, 0, 1, 1), True))
    assert shown["box"] == (0, 0.25, 0.5, 0.75)
    [shown] = show_boxes([BOX], View((8, 8), (0.25, 0.5, 0.75, 1), False))
    assert shown["box"] == (0.5, 0, 1, 0.5)


def test_an_object_of_which_little_remains_is_left_out():
    assert show_boxes([BOX], View((8, 8), (0, 0, 0.5, 1), False)) == []
    assert show_boxes([BOX], View((8, 8), (0, 0, 0.54, 1), False)) == []
    assert len(show_boxes([BOX], View((8, 8), (0, 0, 0.56, 1), False))) == 1


def test_maps_and_masks_go_along_with_the_picture(tmp_path, training):
    """The map of a picture of four colours names its quadrants, whatever the view."""
    folder = tmp_path / "quadrants"
    folder.mkdir()
    labels = np.kron([[0, 1], [2, 3]], np.ones((20, 30))).astype(np.uint8)
    for number in range(4):
        Image.fromarray(np.stack([80 * labels, labels, labels], -1).astype(np.uint8)).save(
            folder / f"{number}.png"
        )
        kinds = [labels, labels.astype(np.uint16)]
        Image.fromarray(kinds[number % 2]).save(folder / f"{number}.map.tiff")
        Image.fromarray(np.where(labels == 1, 255, 0).astype(np.uint8)).save(
            folder / f"{number}.mask.bmp"
        )
    records = [
        {
            "file": f"{number}.png",
            "semantic_map": f"{number}.map.tiff",
            "mask": f"{number}.mask.bmp",
            "boxes": [{"box": [0.5, 0, 1, 0.5], "label": 1}],
        }
        for number in range(4)
    ]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "manifest.jsonl").write_text(lines)
    config = training(
        path=folder, size=16, crop="random", crop_scale=[0.4, 1], flip=True, resize="nearest"
    )
    samples = make_training_samples(config)
    for position in range(40):
        sample = samples[position]
        red = torch.round((sample["image"][0] + 1) * 127.5 / 80).numpy()
        assert (np.abs(red - sample["semantic_map"]) > 0).mean() < 0.15  # rounding at the borders
        assert set(np.unique(sample["mask"])) <= {0, 255}
        assert (((sample["mask"] == 255) != (sample["semantic_map"] == 1)).mean()) < 0.15
        if sample["layout"]:
            x0, y0, x1, y1 = sample["layout"][0]["box"]
            center = sample["semantic_map"][int((y0 + y1) * 8), int((x0 + x1) * 8)]
            assert center == 1


def test_a_turned_jpeg_is_upright_and_a_large_one_is_read_smaller(tmp_path, training):
    folder = tmp_path / "turned"
    folder.mkdir()
    image = Image.new("RGB", (1600, 800), "blue")
    image.paste("red", (0, 0, 800, 800))  # left half
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise: left becomes top
    for number in range(2):
        image.save(folder / f"{number}.jpg", exif=exif)
    samples = make_training_samples(training(path=folder, size=[16, 32]))
    shown = samples[0]["image"]
    assert shown.shape == (3, 32, 16)
    assert shown[0, :12].min() > 0.9  # red above
    assert shown[2, 20:].min() > 0.9  # blue below
