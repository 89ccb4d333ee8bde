"""The models that ship in the package."""

from pathlib import Path

import pytest

import latelier
from latelier.pipeline.images import pixel_hash
from latelier.pipeline.replay.replay import replay
from latelier.pipeline.sources import embedded


@pytest.fixture(scope="module")
def pipe():
    return latelier.load("emoji-scenes")


def test_the_embedded_models_stay_small():
    sizes = {
        name: sum(path.stat().st_size for path in folder.iterdir())
        for name, folder in embedded().items()
    }
    assert set(sizes) == {"emoji-scenes"}
    assert max(sizes.values()) <= 16 * 2**20


def test_it_makes_the_size_it_was_trained_on(pipe):
    picture = pipe.generate(prompt="a red apple on a blue background", seed=7, steps=4)[0]
    assert picture.image.size == (64, 64)
    assert picture.seed == 7


def test_text_and_class_both_change_the_picture(pipe):
    asked = [{}, {"prompt": "a cat on a red background"}, {"class_label": 3}]
    hashes = {pixel_hash(pipe.generate(seed=7, steps=4, **each)[0].image) for each in asked}
    assert len(hashes) == len(asked)


def test_a_named_background_is_drawn(pipe):
    prompts = [f"a cat on a {color} background" for color in ("red", "green", "blue")]
    pictures = pipe.generate(prompt=prompts, seed=7)
    corners = [picture.image.getpixel((1, 1)) for picture in pictures]
    assert [max(range(3), key=corner.__getitem__) for corner in corners] == [0, 1, 2]


def test_a_picture_of_it_is_replayed_to_the_same_bits(pipe, tmp_path: Path):
    path = tmp_path / "cat.png"
    pipe.generate(prompt="a cat", seed=3, steps=3)[0].save(path)
    assert replay(path).verdict == "identical"
