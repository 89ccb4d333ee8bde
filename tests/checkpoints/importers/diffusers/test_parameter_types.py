"""Impossible values in the configurations of diffusers are refused quickly, by class and field."""

from collections.abc import Callable
from typing import Any

import pytest

from latelier.checkpoints.importers.diffusers.configs.first_stage import (
    autoencoder_config_from_diffusers,
    tiny_config_from_diffusers,
)
from latelier.checkpoints.importers.diffusers.configs.transformer import dit_config_from_diffusers
from latelier.checkpoints.importers.diffusers.configs.unet import unet_config_from_diffusers
from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.frozen import Frozen, validate
from latelier.denoisers.configs import TransformerConfig, UNetConfig
from latelier.first_stages.configs import (
    AutoencoderKLConfig,
    AutoencoderVQConfig,
    TinyAutoencoderConfig,
)

IMPOSSIBLE = (0, -1, 10**9, 10**30, 1.5, "a", [], [0], [10**9], ["a"], {}, [64] * 50)

LEVELS = {
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [32, 64],
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "sample_size": 64,
}
UNET = {
    **LEVELS,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "attention_head_dim": 8,
    "num_attention_heads": [8, 8],
    "cross_attention_dim": 64,
    "transformer_layers_per_block": 1,
}
PLAIN_UNET = {
    **LEVELS,
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
    "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
    "attention_head_dim": 8,
}
AUTOENCODER = {
    **LEVELS,
    "down_block_types": ["DownEncoderBlock2D"] * 2,
    "up_block_types": ["UpDecoderBlock2D"] * 2,
    "latent_channels": 4,
}
TINY = {
    "in_channels": 3,
    "out_channels": 3,
    "encoder_block_out_channels": [64, 64],
    "decoder_block_out_channels": [64, 64],
    "num_encoder_blocks": [1, 3],
    "num_decoder_blocks": [3, 1],
    "latent_channels": 4,
}
DIT = {
    "num_attention_heads": 16,
    "attention_head_dim": 72,
    "in_channels": 4,
    "num_layers": 28,
    "sample_size": 32,
    "patch_size": 2,
}

CLASSES: dict[str, tuple[dict[str, Any], Callable[..., dict[str, Any]], type[Frozen]]] = {
    "UNet2DConditionModel": (
        UNET,
        lambda config: unet_config_from_diffusers(config, "text", {}),
        UNetConfig,
    ),
    "UNet2DModel": (
        PLAIN_UNET,
        lambda config: unet_config_from_diffusers(config, None, {}),
        UNetConfig,
    ),
    "AutoencoderKL": (AUTOENCODER, autoencoder_config_from_diffusers, AutoencoderKLConfig),
    "VQModel": (
        {**AUTOENCODER, "num_vq_embeddings": 16, "vq_embed_dim": 4},
        autoencoder_config_from_diffusers,
        AutoencoderVQConfig,
    ),
    "AutoencoderTiny": (TINY, tiny_config_from_diffusers, TinyAutoencoderConfig),
    "DiTTransformer2DModel": (DIT, dit_config_from_diffusers, TransformerConfig),
}
FIELDS = [(name, field) for name, (config, _, _) in CLASSES.items() for field in config]


def read(name: str, **changes: Any) -> Frozen:
    config, convert, model = CLASSES[name]
    return validate(model, convert({**config, "_class_name": name, **changes}), name)


@pytest.mark.parametrize("name", CLASSES)
def test_possible_values_are_read(name):
    assert read(name)


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_impossible_values_are_refused(name, field):
    for value in IMPOSSIBLE:
        with pytest.raises(InvalidConfigError, match=name):
            read(name, **{field: value})


@pytest.mark.parametrize("name", ["UNet2DModel", "UNet2DConditionModel", "AutoencoderKL"])
@pytest.mark.parametrize("field", ["block_out_channels", "down_block_types", "up_block_types"])
def test_levels_must_be_as_many_everywhere(name, field):
    values = CLASSES[name][0][field]
    for wrong in (values[:1], [*values, values[0]]):
        with pytest.raises(InvalidConfigError, match=r"has \d levels, block_out_channels \d"):
            read(name, **{field: wrong})


@pytest.mark.parametrize("heads", [3, [8, 7], [8, 8, 8]])
def test_heads_must_divide_the_channels(heads):
    with pytest.raises(InvalidConfigError, match=r"head"):
        read("UNet2DConditionModel", num_attention_heads=heads)


def test_a_unet_with_a_context_needs_heads():
    with pytest.raises(InvalidConfigError, match="has no attention_head_dim"):
        read("UNet2DConditionModel", attention_head_dim=None, num_attention_heads=None)
