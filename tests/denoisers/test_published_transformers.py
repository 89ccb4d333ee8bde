"""The published diffusion transformers: exact parameter totals and keys, on the meta device.

The published totals count the fixed positions and the class embedding table. Here the positions are
computed, and the table belongs to the conditioner.
"""

from typing import Any

import pytest
import torch
from torch import nn

from latelier.denoisers.configs import TransformerConfig
from latelier.denoisers.transformer import Transformer

WIDTHS = {"S": (384, 12, 6), "B": (768, 12, 12), "L": (1024, 24, 16), "XL": (1152, 28, 16)}
PUBLISHED = {
    "S/2": 32_963_360,
    "S/4": 32_945_024,
    "S/8": 33_148_160,
    "B/2": 130_512_416,
    "B/4": 130_475_648,
    "B/8": 130_881_536,
    "L/2": 458_102_816,
    "L/4": 458_053_760,
    "L/8": 458_594_816,
    "XL/2": 675_129_632,
    "XL/4": 675_074_432,
    "XL/8": 675_683_072,
}
MILLIONS = {"S/2": 33, "B/2": 130, "L/2": 458, "XL/2": 675}
"""As the paper's table 4 prints them, the positions, which are not learnt, left out."""

CLASSES = 1000


def published_config(name: str, **options: Any) -> TransformerConfig:
    size, _, patch = name.partition("/")
    width, depth, heads = WIDTHS[size]
    values: dict[str, Any] = {
        "in_channels": 4,
        "out_channels": 4,
        "learn_sigma": True,
        "hidden_size": width,
        "depth": depth,
        "num_heads": heads,
        "patch_size": int(patch),
        "vectors": {"class_label": width},
        "native_vectors": ("class_label",),
    }
    return TransformerConfig.model_validate({**values, **options})


def on_meta(config: TransformerConfig) -> Transformer:
    with torch.device("meta"):
        return Transformer(config)


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def arithmetic(name: str) -> int:
    """Return the published total: by the paper's layers, positions and class table included."""
    config = published_config(name)
    d, p2 = config.hidden_size, config.patch_size**2
    block = 18 * d * d + 15 * d  # qkv 3, proj 1, feed-forward 8, modulation 6; biases 3 1 4 1 6
    timestep = (256 * d + d) + (d * d + d)
    final = (2 * d * d + 2 * d) + (d * p2 * 8 + p2 * 8)
    positions, table = (32 * 32 // p2) * d, (CLASSES + 1) * d
    return config.depth * block + timestep + (4 * p2 * d + d) + final + positions + table


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameter_counts_match(name: str) -> None:
    config = published_config(name)
    positions = (32 // config.patch_size) ** 2 * config.hidden_size
    table = (CLASSES + 1) * config.hidden_size
    assert arithmetic(name) == PUBLISHED[name]
    assert count(on_meta(config)) + positions + table == PUBLISHED[name]
    if name in MILLIONS:
        assert round((PUBLISHED[name] - positions) / 1e6) == MILLIONS[name]


@pytest.mark.parametrize("name", ["S/2", "XL/2"])
def test_parameter_counts_equal_diffusers_without_repeated_embeddings(name: str) -> None:
    """It holds the embeddings of timestep and class in every block, and no positions."""
    dit = pytest.importorskip("diffusers.models.transformers.dit_transformer_2d")
    config = published_config(name)
    with torch.device("meta"):
        theirs = dit.DiTTransformer2DModel(
            num_attention_heads=config.num_heads,
            attention_head_dim=config.hidden_size // config.num_heads,
            out_channels=8,
            num_layers=config.depth,
        )
    ours = on_meta(config)
    repeated = count(ours.t_embedder) * (config.depth - 1)
    tables = (CLASSES + 1) * config.hidden_size * config.depth
    assert count(theirs) == count(ours) + repeated + tables


def test_keys_and_shapes_match_the_checkpoints() -> None:
    shapes = {
        key: tuple(value.shape)
        for key, value in on_meta(published_config("XL/2")).state_dict().items()
    }
    d = 1152
    block = {
        "attn.qkv.weight": (3 * d, d),
        "attn.qkv.bias": (3 * d,),
        "attn.proj.weight": (d, d),
        "attn.proj.bias": (d,),
        "mlp.fc1.weight": (4 * d, d),
        "mlp.fc1.bias": (4 * d,),
        "mlp.fc2.weight": (d, 4 * d),
        "mlp.fc2.bias": (d,),
        "adaLN_modulation.1.weight": (6 * d, d),
        "adaLN_modulation.1.bias": (6 * d,),
    }
    assert shapes == {
        "x_embedder.proj.weight": (d, 4, 2, 2),
        "x_embedder.proj.bias": (d,),
        "t_embedder.mlp.0.weight": (d, 256),
        "t_embedder.mlp.0.bias": (d,),
        "t_embedder.mlp.2.weight": (d, d),
        "t_embedder.mlp.2.bias": (d,),
        **{f"blocks.{i}.{key}": shape for i in range(28) for key, shape in block.items()},
        "final_layer.linear.weight": (32, d),
        "final_layer.linear.bias": (32,),
        "final_layer.adaLN_modulation.1.weight": (2 * d, d),
        "final_layer.adaLN_modulation.1.bias": (2 * d,),
    }


def test_cross_attention_adds_only_its_parameters() -> None:
    plain = on_meta(published_config("S/8")).state_dict()
    streams = {"text": {"width": 768, "injection": "native"}}
    crossed = on_meta(published_config("S/8", context_dim=768, streams=streams)).state_dict()
    assert plain.keys() <= crossed.keys()
    added = {key.split(".")[2] for key in crossed.keys() - plain.keys()}
    assert added == {"norm_cross", "cross_attn"}
