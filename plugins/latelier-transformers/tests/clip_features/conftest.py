"""A small CLIP in a folder, as transformers writes it, and transformers' own model of it."""

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPModel


def make_model(clip_config: dict[str, Any]) -> CLIPModel:
    """Return a model whose pictures have 32 x 32 pixels; every weight is random."""
    text = {k: v for k, v in clip_config.items() if k != "pad_token_id"}
    vision = {
        "hidden_size": 24,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "image_size": 32,
        "patch_size": 8,
    }
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=20)
    model = CLIPModel(config).eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weights in model.parameters():
            weights.copy_(0.2 * torch.randn(weights.shape, generator=generator) + 0.05)
    return model


@pytest.fixture(scope="session")
def published(clip_config: dict[str, Any]) -> CLIPModel:
    """transformers' own model."""
    return make_model(clip_config)


@pytest.fixture(scope="session")
def folder(published: CLIPModel, clip_tokenizer: dict[str, bytes], tmp_path_factory: Any) -> Any:
    """The folder of the model, with its tokenizer."""
    path = tmp_path_factory.mktemp("hub") / "small-clip"
    published.save_pretrained(path)
    for name, data in clip_tokenizer.items():
        (path / name).write_bytes(data)
    assert json.loads((path / "config.json").read_text())["projection_dim"] == 20
    return path


@pytest.fixture
def images() -> Tensor:
    """Two pictures of 80 x 50 pixels, uint8."""
    generator = torch.Generator().manual_seed(7)
    coarse = 255 * torch.rand(2, 3, 8, 5, generator=generator)
    return nn.functional.interpolate(coarse, (80, 50), mode="bilinear").to(torch.uint8)
