"""The published models: exact parameter totals and places of attention, on the meta device.

Totals are computed from the published configurations; several agree with those that the authors
print (274 M, 859.52 M, 872.3 M, 1,335 M).
"""

from typing import Any

import pytest
import torch
from torch import nn

from latelier.denoisers.attention import SpatialTransformer
from latelier.denoisers.unet import UNet
from latelier.denoisers.unet_config import UNetConfig


def native(width: int) -> dict[str, Any]:
    return {"context_dim": width, "streams": {"context": {"width": width, "way": "native"}}}


def config_of(
    channels: int, model: int, mult: tuple[int, ...], at: tuple[int, ...], **options: Any
) -> UNetConfig:
    values = {
        "in_channels": channels,
        "out_channels": channels,
        "model_channels": model,
        "channel_mult": mult,
        "attention_resolutions": at,
    }
    return UNetConfig.model_validate({**values, **options})


PUBLISHED = {
    "celeba256": (
        config_of(3, 224, (1, 2, 3, 4), (8, 4, 2), num_head_channels=32),
        274_056_163,
    ),
    "lsun_churches256": (
        config_of(
            4,
            192,
            (1, 2, 2, 4, 4),
            (1, 2, 4, 8),
            num_heads=8,
            use_scale_shift_norm=True,
            resblock_updown=True,
        ),
        294_966_916,
    ),
    "cin256": (
        config_of(4, 256, (1, 2, 4), (4, 2, 1), num_head_channels=32, **native(512)),
        394_984_196,
    ),
    "cin256-v2": (
        config_of(3, 192, (1, 2, 3, 5), (8, 4, 2), num_heads=1, **native(512)),
        400_920_579,
    ),
    "text2img256": (
        config_of(3, 192, (1, 2, 3, 5), (8, 4, 2), num_head_channels=32, **native(640)),
        403_623_939,
    ),
    "text2img-large": (
        config_of(4, 320, (1, 2, 4, 4), (4, 2, 1), num_heads=8, **native(1280)),
        872_300_484,
    ),
    "layout2img-openimages256": (
        config_of(
            3,
            128,
            (1, 2, 3, 4),
            (8, 4, 2),
            num_head_channels=32,
            transformer_depth=3,
            **native(512),
        ),
        246_277_379,
    ),
    "semantic_synthesis256": (
        config_of(3, 128, (1, 4, 8), (32, 16, 8), num_heads=8, spatial={"semantic_map": 3}),
        215_229_315,
    ),
    "bsr_sr": (
        config_of(
            3, 160, (1, 2, 2, 4), (16, 8), num_head_channels=32, spatial={"low_resolution": 3}
        ),
        113_622_563,
    ),
    "inpainting_big": (
        config_of(
            3,
            256,
            (1, 2, 3, 4),
            (8, 4, 2),
            num_heads=8,
            resblock_updown=True,
            spatial={"masked_image": 3, "mask": 1},
        ),
        387_245_827,
    ),
    "rdm768": (
        config_of(16, 448, (1, 2, 3, 4), (4, 2, 1), num_head_channels=32, **native(768)),
        1_335_480_400,
    ),
    "stable-diffusion-v1": (
        config_of(4, 320, (1, 2, 4, 4), (4, 2, 1), num_heads=8, **native(768)),
        859_520_964,
    ),
}


def on_meta(config: UNetConfig) -> UNet:
    with torch.device("meta"):
        return UNet(config)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_number_of_parameters_is_exact(name: str) -> None:
    config, total = PUBLISHED[name]
    assert sum(parameter.numel() for parameter in on_meta(config).parameters()) == total


def test_a_linear_projection_has_as_many_parameters_as_a_convolution() -> None:
    config, total = PUBLISHED["stable-diffusion-v1"]
    model = on_meta(config.model_copy(update={"use_linear_projections": True}))
    assert sum(parameter.numel() for parameter in model.parameters()) == total
    assert model.state_dict()["middle_block.1.proj_in.weight"].shape == (1280, 1280)


@pytest.mark.parametrize(
    ("name", "encoder", "decoder"),
    [
        ("celeba256", [4, 5, 7, 8, 10, 11], range(9)),
        ("stable-diffusion-v1", [1, 2, 4, 5, 7, 8], range(3, 12)),
        ("lsun_churches256", [1, 2, 4, 5, 7, 8, 10, 11], range(3, 15)),
        ("cin256", [1, 2, 4, 5, 7, 8], range(9)),
        ("bsr_sr", [10, 11], range(3)),
        ("semantic_synthesis256", [], range(0)),
    ],
)
def test_attention_is_where_the_published_models_have_it(
    name: str, encoder: list[int], decoder: range
) -> None:
    keys = on_meta(PUBLISHED[name][0]).state_dict()

    def attended(kind: str) -> list[int]:
        return [i for i in range(20) if f"{kind}.{i}.1.proj_out.weight" in keys]

    assert attended("input_blocks") == encoder
    assert attended("output_blocks") == list(decoder)
    assert "middle_block.1.proj_out.weight" in keys


def test_keys_and_shapes_are_those_of_the_checkpoints() -> None:
    shapes = {
        key: tuple(value.shape)
        for key, value in on_meta(PUBLISHED["stable-diffusion-v1"][0]).state_dict().items()
    }
    block = "input_blocks.1.1.transformer_blocks.0"
    expected = {
        "time_embed.0.weight": (1280, 320),
        "time_embed.2.weight": (1280, 1280),
        "input_blocks.0.0.weight": (320, 4, 3, 3),
        "input_blocks.3.0.op.weight": (320, 320, 3, 3),
        "input_blocks.4.0.in_layers.0.weight": (320,),
        "input_blocks.4.0.in_layers.2.weight": (640, 320, 3, 3),
        "input_blocks.4.0.emb_layers.1.weight": (640, 1280),
        "input_blocks.4.0.out_layers.0.bias": (640,),
        "input_blocks.4.0.out_layers.3.weight": (640, 640, 3, 3),
        "input_blocks.4.0.skip_connection.weight": (640, 320, 1, 1),
        "input_blocks.1.1.norm.weight": (320,),
        "input_blocks.1.1.proj_in.weight": (320, 320, 1, 1),
        f"{block}.attn1.to_q.weight": (320, 320),
        f"{block}.attn2.to_k.weight": (320, 768),
        f"{block}.attn2.to_out.0.bias": (320,),
        f"{block}.ff.net.0.proj.weight": (2560, 320),
        f"{block}.ff.net.2.weight": (320, 1280),
        f"{block}.norm3.weight": (320,),
        "output_blocks.2.1.conv.weight": (1280, 1280, 3, 3),
        "output_blocks.5.2.conv.weight": (1280, 1280, 3, 3),
        "out.0.weight": (320,),
        "out.2.weight": (4, 320, 3, 3),
    }
    assert {key: shapes.get(key) for key in expected} == expected
    assert len(shapes) == 686


def test_an_unconditional_model_has_one_convolution_for_q_k_and_v() -> None:
    shapes = on_meta(PUBLISHED["celeba256"][0]).state_dict()
    assert shapes["middle_block.1.qkv.weight"].shape == (3 * 896, 896, 1)
    assert shapes["middle_block.1.proj_out.weight"].shape == (896, 896, 1)


def test_a_resampling_residual_block_sits_where_the_resampling_layer_was() -> None:
    keys = on_meta(PUBLISHED["lsun_churches256"][0]).state_dict()
    assert "input_blocks.3.0.in_layers.2.weight" in keys
    assert "output_blocks.2.1.in_layers.2.weight" in keys
    assert "output_blocks.5.2.in_layers.2.weight" in keys


@pytest.mark.parametrize("name", ["celeba256", "stable-diffusion-v1"])
def test_only_the_norm_before_a_transformer_has_the_smaller_epsilon(name: str) -> None:
    model = on_meta(PUBLISHED[name][0])
    for path, norm in model.named_modules():
        if isinstance(norm, nn.GroupNorm):
            parent = model.get_submodule(path.rpartition(".")[0])
            assert norm.eps == (1e-6 if isinstance(parent, SpatialTransformer) else 1e-5), path
            assert norm.num_groups == 32
