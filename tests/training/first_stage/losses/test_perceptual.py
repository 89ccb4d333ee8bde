import pytest
import torch

from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.contracts.frozen import validate
from latelier.metrics.scene_detector import SHIPPED_DETECTOR
from latelier.training.configs.first_stage import PerceptualConfig
from latelier.training.first_stage.losses.perceptual import check_side, load_perceptual


def test_the_scene_detector_ships_with_its_weights():
    network = load_perceptual(PerceptualConfig(network="detector"))
    images = torch.rand(2, 3, 32, 32)
    assert network(images, images).tolist() == [0, 0]


def test_weights_of_another_network_are_an_error():
    with pytest.raises(
        ModelFileError,
        match=r"perceptual\.weights: .*detector\.safetensors: expected the weights of",
    ):
        load_perceptual(PerceptualConfig(network="lpips", weights=str(SHIPPED_DETECTOR)))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"network": "lpips"}, "lpips needs `weights`"),
        ({"network": "detector", "weights": "a.safetensors"}, "leave `weights` out"),
    ],
)
def test_weights_are_those_of_lpips_alone(fields, text):
    with pytest.raises(InvalidConfigError, match=text):
        validate(PerceptualConfig, fields, "perceptual")


def test_small_images_are_an_error():
    config = PerceptualConfig(network="lpips", weights="unused")
    check_side(config, 16, 32)
    with pytest.raises(InvalidConfigError, match="at least 16 pixels, but the images are 32 x 15"):
        check_side(config, 15, 32)
