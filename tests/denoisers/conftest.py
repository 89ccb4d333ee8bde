from collections.abc import Callable

import pytest
import torch
from torch import nn

from latelier.denoisers.configs import TransformerConfig, UNetConfig, UViTConfig
from latelier.denoisers.transformer import Transformer
from latelier.denoisers.unet import UNet
from latelier.denoisers.uvit import UViT

Build = Callable[..., UNet]
BuildTransformer = Callable[..., Transformer]
BuildUViT = Callable[..., UViT]


@pytest.fixture
def filled() -> Callable[[nn.Module], nn.Module]:
    """Fills every parameter, the zero-initialised ones too, from a generator of its own."""

    def fill(module: nn.Module, seed: int = 0) -> nn.Module:
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                fan = parameter[0].numel() if parameter.ndim > 1 else 1
                noise = torch.randn(parameter.shape, generator=generator)
                is_gain = parameter.ndim == 1 and name.endswith("weight")
                parameter.copy_(1 + 0.1 * noise if is_gain else 0.7 * noise / fan**0.5)
        return module.eval()

    return fill


@pytest.fixture
def small_unet(filled: Callable[[nn.Module], nn.Module]) -> Build:
    """Builds a filled UNet of two levels with attention at both; options replace its config's."""

    def build(**options: object) -> UNet:
        values: dict[str, object] = {
            "in_channels": 4,
            "out_channels": 4,
            "model_channels": 16,
            "channel_mult": (1, 2),
            "num_res_blocks": 1,
            "attention_resolutions": (1, 2),
            "num_heads": 2,
            "num_groups": 4,
        }
        config = UNetConfig.model_validate({**values, **options})
        model = filled(UNet(config))
        assert isinstance(model, UNet)
        return model

    return build


@pytest.fixture
def small_transformer(filled: Callable[[nn.Module], nn.Module]) -> BuildTransformer:
    """Builds a filled transformer of two blocks; options replace its config's."""

    def build(**options: object) -> Transformer:
        values: dict[str, object] = {
            "in_channels": 4,
            "out_channels": 4,
            "input_size": 8,
            "hidden_size": 16,
            "depth": 2,
            "num_heads": 2,
        }
        config = TransformerConfig.model_validate({**values, **options})
        model = filled(Transformer(config))
        assert isinstance(model, Transformer)
        return model

    return build


@pytest.fixture
def small_uvit(filled: Callable[[nn.Module], nn.Module]) -> BuildUViT:
    """Builds a filled U-ViT of two blocks; options replace its config's."""

    def build(**options: object) -> UViT:
        values: dict[str, object] = {
            "in_channels": 4,
            "out_channels": 4,
            "input_size": 8,
            "model_channels": 8,
            "num_groups": 4,
            "hidden_size": 16,
            "depth": 2,
            "num_heads": 2,
        }
        config = UViTConfig.model_validate({**values, **options})
        model = filled(UViT(config))
        assert isinstance(model, UViT)
        return model

    return build
