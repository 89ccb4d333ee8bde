from pathlib import Path

import pytest
import torch

from latelier.checkpoints.io import hub
from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.training.configs.first_stage import PerceptualConfig
from latelier.training.first_stage.losses import perceptual
from latelier.training.first_stage.losses.perceptual import (
    check_side,
    find_weights,
    load_perceptual,
)

DETECTOR = Path(__file__).parents[4] / "benchmarks" / "detector" / "detector.safetensors"


def test_the_scene_detector_is_loaded_from_its_file():
    network = load_perceptual(PerceptualConfig(network="detector", weights=str(DETECTOR)))
    images = torch.rand(2, 3, 32, 32)
    assert network(images, images).tolist() == [0, 0]


def test_weights_of_another_network_are_an_error():
    with pytest.raises(ModelFileError, match=r"detector\.safetensors: expected the weights of"):
        load_perceptual(PerceptualConfig(network="lpips", weights=str(DETECTOR)))


def test_two_files_for_the_detector_are_an_error():
    files = (str(DETECTOR), str(DETECTOR))
    with pytest.raises(InvalidConfigError, match="one file of weights, not 2"):
        load_perceptual(PerceptualConfig(network="detector", weights=files))


def test_a_file_of_the_hub_is_found_only_if_it_was_fetched(tmp_path, monkeypatch):
    def find_fetched(name: hub.HubName) -> Path:
        if name.repository != "owner/fetched":
            raise ModelFileError("not fetched")
        return tmp_path

    monkeypatch.setattr(perceptual, "find_fetched", find_fetched)
    (tmp_path / "vgg.safetensors").touch()
    assert find_weights("owner/fetched/vgg.safetensors") == tmp_path / "vgg.safetensors"
    with pytest.raises(ModelFileError, match=r"to fetch it: hf download owner/other vgg\.safe"):
        find_weights("owner/other/vgg.safetensors")


def test_a_missing_path_is_an_error(tmp_path):
    with pytest.raises(ModelFileError, match=r"missing\.pth: not found"):
        find_weights(str(tmp_path / "missing.pth"))


def test_small_images_are_an_error():
    config = PerceptualConfig(network="lpips", weights="unused")
    check_side(config, 16, 32)
    with pytest.raises(InvalidConfigError, match="at least 16 pixels, but the images are 32 x 15"):
        check_side(config, 15, 32)
