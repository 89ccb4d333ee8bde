"""The pictures of a side."""

import pytest
import torch
from PIL import Image

from latelier.contracts.errors import InvalidInputError
from latelier.evaluation.comparison_sheet.sides import (
    ORIGINALS,
    read_side,
    stream_pictures,
    take_originals,
)


def test_pictures_of_a_folder_are_in_the_order_of_their_names(tmp_path):
    for name, color in (("2.png", "blue"), ("1.png", "red")):
        Image.new("RGB", (2, 2), color).save(tmp_path / name)
    side = read_side(tmp_path, 2)
    assert [picture.getpixel((0, 0)) for picture in side.pictures] == [(255, 0, 0), (0, 0, 255)]
    with pytest.raises(InvalidInputError, match="expected 3 pictures, one for each pair, found 2"):
        read_side(tmp_path, 3)


def test_pictures_of_different_sizes_are_an_error(tmp_path):
    for side in (2, 3):
        Image.new("RGB", (side, 2)).save(tmp_path / f"{side}.png")
    with pytest.raises(InvalidInputError, match=r"different sizes.*\(2, 2\), \(3, 2\)"):
        read_side(tmp_path, 2)


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(InvalidInputError, match=r"1\.png.*not a known image format"):
        read_side(tmp_path, 1)


class Stub:
    """Records how it is called, as a pipeline is."""

    def __init__(self, *inputs):
        self.inputs = dict.fromkeys(inputs)

    def stream(self, **keywords):
        self.keywords = keywords
        return iter(())


def test_all_pictures_of_a_model_are_of_one_run_with_successive_seeds():
    pipeline = Stub("prompt")
    stream_pictures("a model", pipeline, ["a cat", "a dog"], 7, steps=4)
    assert pipeline.keywords == {"prompt": ["a cat", "a dog"], "seed": 7, "steps": 4}


def test_a_model_without_prompts_is_an_error():
    with pytest.raises(InvalidInputError, match="model 'celeba' takes no prompt"):
        stream_pictures("celeba", Stub("class_label"), ["a cat"], 0)


def test_originals_are_the_pictures_of_the_samples():
    side = take_originals(
        [{"prompt": "a cat", "image": torch.full((3, 2, 2), 7, dtype=torch.uint8)}]
    )
    assert side.name == ORIGINALS
    assert side.pictures[0].getpixel((1, 1)) == (7, 7, 7)
    with pytest.raises(InvalidInputError, match="prompts have no pictures"):
        take_originals([{"prompt": "a cat"}])
