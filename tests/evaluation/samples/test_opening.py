import numpy as np
import pytest

from latelier.contracts.errors import DataError, InvalidConfigError
from latelier.data.emoji_scenes import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.protocol.data import EvaluationData
from latelier.evaluation.samples.opening import open_samples


def test_sample_k_is_scene_k():
    data = EvaluationData(config={"size": 64}, seed=3)

    sample = open_samples(data, 5, {"scene"}).read(4, {"scene"})

    scene = EmojiScenes(SceneConfig(size=64), 3, 5).scene(4)
    assert np.array_equal(sample["image"].permute(1, 2, 0), scene.image)
    assert sample["prompt"] == scene.caption
    assert sample["drawings"] == {"pictures": [each.glyph.index for each in scene.objects]}
    assert sample["named_layout"]["objects"][0]["label"] == scene.objects[0].glyph.name


def test_scenes_need_a_number():
    with pytest.raises(InvalidConfigError, match="pictures: expected a number"):
        open_samples(EvaluationData(), None, {"prompt"})
    assert open_samples(EvaluationData(length=7), None, {"prompt"}).count == 7


def test_scenes_have_the_size_of_their_configuration():
    with pytest.raises(InvalidConfigError, match=r"data\.size: expected that of the scenes, 64"):
        open_samples(EvaluationData(config={"size": 64}, size=32), 1, {"image"})


def test_a_field_that_scenes_lack_is_an_error():
    with pytest.raises(InvalidConfigError, match="no field 'promt'"):
        open_samples(EvaluationData(), 1, {"promt"})


def test_more_samples_than_there_are_is_an_error(paint):
    data = EvaluationData(path=paint("a", "0.png"))

    with pytest.raises(DataError, match="has 1 pictures, and 2 are to be evaluated"):
        open_samples(data, 2, {"image"})


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no pictures found"):
        open_samples(EvaluationData(path=tmp_path), None, {"image"})


def test_without_fields_no_data_are_opened(tmp_path):
    data = EvaluationData(path=tmp_path / "missing")

    samples = open_samples(data, 3, frozenset(), (64, 32))

    assert samples.read(2, frozenset()) == {"index": 2}
    assert samples.size == (64, 32)
