import pytest
import torch

from latelier.contracts.errors import DataError, InvalidConfigError
from latelier.evaluation.protocol.data import EvaluationData
from latelier.evaluation.samples.opening import open_paired_samples, open_samples
from latelier.evaluation.tasks.pictures import Pictures


def open_pairs(made, originals, fields=frozenset({"picture", "image"}), **data):
    task = Pictures(path=made)
    return open_paired_samples(task, EvaluationData(path=originals, **data), None, fields)


def test_a_picture_has_the_original_of_its_name(paint):
    made = paint("made", "b.png", "a.png")
    originals = paint("originals", "x/a.png", "b.png", "c.png", seed=1)

    samples = open_pairs(made, originals)

    direct = open_samples(EvaluationData(path=originals), None, {"image"})
    names = [direct.sample_name(k) for k in range(3)]
    assert [samples.sample_name(k) for k in range(2)] == ["a.png", "b.png"]
    sample = samples.read(0, {"picture", "image"})
    expected = direct.read(names.index("x/a.png"), {"image"})["image"]
    assert sample["index"] == 0
    assert torch.equal(sample["image"], expected)
    assert not torch.equal(sample["picture"], expected)


def test_a_picture_without_an_original_is_an_error(paint):
    with pytest.raises(DataError, match=r"1 of 2 pictures have no original .* such as c\.png"):
        open_pairs(paint("made", "a.png", "c.png"), paint("originals", "a.png"))


def test_originals_of_one_name_are_an_error(paint):
    with pytest.raises(DataError, match="several originals are called 'a'"):
        open_pairs(paint("made", "a.png"), paint("originals", "x/a.png", "y/a.png"))


def test_originals_of_another_size_are_an_error_without_a_size(paint):
    made, originals = paint("made", "a.png"), paint("originals", "a.png", size=(20, 20))

    with pytest.raises(DataError, match=r"16 x 16 pixels and the originals of .* 20 x 20"):
        open_pairs(made, originals)
    sample = open_pairs(made, originals, size=8).read(0, {"picture", "image"})
    assert sample["image"].shape == sample["picture"].shape == (3, 8, 8)


def test_measures_of_originals_need_some(paint):
    with pytest.raises(DataError, match="the measures need image of the originals"):
        open_pairs(paint("made", "a.png"), None)
    assert open_pairs(paint("made", "a.png"), None, {"picture"}).count == 1


def test_originals_are_files(paint):
    with pytest.raises(InvalidConfigError, match="the originals of pictures are files"):
        open_pairs(paint("made", "a.png"), None, dataset="emoji_scenes")
