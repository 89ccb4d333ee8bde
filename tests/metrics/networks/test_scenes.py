import pytest
import torch
from torch.nn.functional import avg_pool2d

from latelier.contracts.errors import InvalidInputError
from latelier.data.emoji_scenes.config import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.detector.reading import read_pictures
from latelier.evaluation.scenes import read_scenes, to_images
from latelier.metrics.networks.configs import ScenesConfig
from latelier.metrics.networks.scenes import SceneFeatures
from latelier.metrics.scene_detector import load_detector

SCENES = read_scenes(EmojiScenes(SceneConfig(size=64, vocabulary="all"), seed=11, length=24))
IMAGES = torch.stack([torch.from_numpy(scene.image).permute(2, 0, 1) for scene in SCENES])


@pytest.fixture(scope="module")
def network() -> SceneFeatures:
    return SceneFeatures(ScenesConfig())


def test_the_features_are_those_that_models_of_scenes_are_measured_by(network):
    expected = read_pictures(load_detector(), to_images(SCENES)).features
    torch.testing.assert_close(network(IMAGES).vectors, expected)
    assert network.width == expected.shape[1]


def test_the_logits_name_the_drawing_of_a_scene_with_one_object(network):
    named = network(IMAGES).logits.argmax(1).tolist()
    hits = [n == scene.objects[0].glyph.index for n, scene in zip(named, SCENES, strict=True)]
    assert sum(hits) >= 21


def test_a_size_resizes_and_is_in_the_identity(network):
    resized = SceneFeatures(ScenesConfig(size=64))
    halves = avg_pool2d(IMAGES.float(), 2).to(torch.uint8)
    assert resized.identity != network.identity
    assert not torch.allclose(resized(halves).vectors, network(halves).vectors, rtol=0.1)
    odd = IMAGES[:, :, :50, :37]
    assert resized(odd).vectors.shape == (len(IMAGES), 192)
    with pytest.raises(InvalidInputError, match="multiples of 16"):
        network(odd)


def test_results_do_not_take_it_for_inception(network):
    assert "for emoji scenes alone, not Inception" in network.name
