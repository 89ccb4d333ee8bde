import json
import shutil
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from latelier import Atelier
from latelier.contracts.errors import ModelFileError
from latelier.testing import FeatureNetworkContract
from transformers import Dinov2Config, Dinov2Model

from latelier_transformers.dinov2_features.configs import Dinov2FeaturesConfig
from latelier_transformers.dinov2_features.network import Dinov2Features


@pytest.fixture(scope="module")
def published():
    """A small model of transformers with the positions of another size."""
    config = Dinov2Config(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=3, image_size=70, patch_size=14
    )
    model = Dinov2Model(config).eval()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weights in model.parameters():
            weights.copy_(0.2 * torch.randn(weights.shape, generator=generator) + 0.05)
    return model


@pytest.fixture(scope="module")
def folder(published, tmp_path_factory):
    path = tmp_path_factory.mktemp("hub") / "small-dinov2"
    published.save_pretrained(path)
    return path


def load(folder):
    return Dinov2Features(Dinov2FeaturesConfig(weights=str(folder)))


def test_features_agree_with_transformers_and_pillow(published, folder):
    generator = torch.Generator().manual_seed(2)
    image = torch.randint(256, (3, 100, 300), generator=generator).to(torch.uint8)
    size, bicubic = (224, 224), PIL.Image.Resampling.BICUBIC
    channels = [PIL.Image.fromarray(each.float().numpy()).resize(size, bicubic) for each in image]
    levels = np.stack([np.array(each) for each in channels]).clip(0, 255) / 255
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    pixels = (levels - mean[:, None, None]) / std[:, None, None]
    with torch.no_grad():
        states = published(torch.from_numpy(pixels).float()[None]).last_hidden_state
    network = load(folder)
    assert network.name == "DINOv2 small-dinov2"
    torch.testing.assert_close(network(image[None]).vectors, states[:, 0], rtol=1e-4, atol=1e-5)


def test_damaged_folders_are_clear_errors(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    for changes, text in (
        ({"model_type": "vit"}, "expected the model_type 'dinov2', got 'vit'"),
        ({"hidden_size": "wide"}, "'hidden_size'"),
        ({"hidden_size": 48}, "do not fit"),
    ):
        (copy / "config.json").write_text(json.dumps({**config, **changes}))
        with pytest.raises(ModelFileError, match=text):
            load(copy)
    with pytest.raises(ModelFileError, match=r"config\.json: not found"):
        load(tmp_path)


class TestDinov2(FeatureNetworkContract):
    component = "latelier-transformers/dinov2"

    @pytest.fixture(autouse=True)
    def small(self, folder: Any) -> None:
        self.config = {"weights": str(folder)}

    @pytest.fixture(autouse=True)
    def with_plugin(self, atelier: Atelier) -> None:
        self.atelier = lambda: atelier
