from collections.abc import Callable
from typing import TypeVar

import pytest
import torch
from torch import nn

from latelier.denoisers.configs import ConditionedConfig, TransformerConfig, UNetConfig, UViTConfig
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


Fill = Callable[[nn.Module], nn.Module]
C = TypeVar("C", bound=ConditionedConfig)
D = TypeVar("D", bound=nn.Module)


def builder(network: type[D], config: type[C], fill: Fill, **values: object) -> Callable[..., D]:
    """Return a function that builds a filled network; options replace values of its config."""

    def build(**options: object) -> D:
        model = fill(network(config.model_validate({**values, **options})))
        assert isinstance(model, network)
        return model

    return build


@pytest.fixture
def small_unet(filled: Fill) -> Build:
    """Builds a UNet of two levels with attention at both."""
    return builder(
        UNet,
        UNetConfig,
        filled,
        in_channels=4,
        out_channels=4,
        model_channels=16,
        channel_mult=(1, 2),
        num_res_blocks=1,
        attention_resolutions=(1, 2),
        num_heads=2,
        num_groups=4,
    )


TOKENS: dict[str, object] = {"input_size": 8, "hidden_size": 16, "depth": 2, "num_heads": 2}


@pytest.fixture
def small_transformer(filled: Fill) -> BuildTransformer:
    """Builds a transformer of two blocks."""
    return builder(Transformer, TransformerConfig, filled, in_channels=4, out_channels=4, **TOKENS)


@pytest.fixture
def small_uvit(filled: Fill) -> BuildUViT:
    """Builds a U-ViT of two blocks."""
    convolutions: dict[str, object] = {"model_channels": 8, "num_groups": 4}
    return builder(
        UViT, UViTConfig, filled, in_channels=4, out_channels=4, **TOKENS, **convolutions
    )
