"""The published models: exact totals, and every key and shape of their checkpoints, on meta.

The totals are computed from the published configurations; several agree with those that the authors
print (274 M, 859.52 M, 872.3 M, 1,335 M). The keys come from a schema of the layout, written apart
from the model, with the places of attention of each model listed.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from latelier.denoisers.configs import UNetConfig
from latelier.denoisers.spatial_transformer import SpatialTransformer
from latelier.denoisers.unet import UNet


def native(width: int) -> dict[str, Any]:
    return {"context_dim": width, "streams": {"context": {"width": width, "injection": "native"}}}


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


class Places(NamedTuple):
    """Indices of the input and output blocks that attend; the middle block always does."""

    inputs: list[int]
    outputs: range


class Published(NamedTuple):
    config: UNetConfig
    total: int
    places: Places


F4 = Places([4, 5, 7, 8, 10, 11], range(9))
SD_LIKE = Places([1, 2, 4, 5, 7, 8], range(3, 12))
UNCONDITIONAL = Published(
    config_of(3, 224, (1, 2, 3, 4), (8, 4, 2), num_head_channels=32), 274_056_163, F4
)
SEMANTIC = Published(
    config_of(3, 128, (1, 4, 8), (32, 16, 8), num_heads=8, spatial={"semantic_map": 3}),
    215_229_315,
    Places([], range(0)),
)


def stable_diffusion(total: int, width: int, **options: Any) -> Published:
    return Published(
        config_of(4, 320, (1, 2, 4, 4), (4, 2, 1), **native(width), **options), total, SD_LIKE
    )


def sdxl(
    total: int, model: int, mult: tuple[int, ...], outputs: range, **options: Any
) -> Published:
    options = {
        "num_head_channels": 64,
        "use_linear_projections": True,
        "joint_vectors": tuple(options["vectors"]),
        **options,
    }
    config = config_of(4, model, mult, (4, 2), **options)
    return Published(config, total, Places([4, 5, 7, 8], outputs))


SDXL_BASE: dict[str, Any] = {
    "model": 320,
    "mult": (1, 2, 4),
    "outputs": range(6),
    "transformer_depth": (1, 2, 10),
    "vectors": {"prompt": 1280, "size": 6 * 256},
    **native(2048),
}
SD_2: dict[str, Any] = {"num_head_channels": 64, "use_linear_projections": True}
INPAINTING = {"mask": 1, "masked_image": 4}

PUBLISHED = {
    "celeba256": UNCONDITIONAL,
    "ffhq256": UNCONDITIONAL,
    "lsun_beds256": UNCONDITIONAL,
    "lsun_churches256": Published(
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
        Places([1, 2, 4, 5, 7, 8, 10, 11], range(3, 15)),
    ),
    "cin256": Published(
        config_of(4, 256, (1, 2, 4), (4, 2, 1), num_head_channels=32, **native(512)),
        394_984_196,
        Places([1, 2, 4, 5, 7, 8], range(9)),
    ),
    "cin256-v2": Published(
        config_of(3, 192, (1, 2, 3, 5), (8, 4, 2), num_heads=1, **native(512)), 400_920_579, F4
    ),
    "text2img256": Published(
        config_of(3, 192, (1, 2, 3, 5), (8, 4, 2), num_head_channels=32, **native(640)),
        403_623_939,
        F4,
    ),
    "text2img-large": stable_diffusion(872_300_484, 1280, num_heads=8),
    "layout2img-openimages256": Published(
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
        F4,
    ),
    "semantic_synthesis256": SEMANTIC,
    "semantic_synthesis512": SEMANTIC,
    "bsr_sr": Published(
        config_of(
            3, 160, (1, 2, 2, 4), (16, 8), num_head_channels=32, spatial={"low_resolution": 3}
        ),
        113_622_563,
        Places([10, 11], range(3)),
    ),
    "inpainting_big": Published(
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
        F4,
    ),
    "rdm768": Published(
        config_of(16, 448, (1, 2, 3, 4), (4, 2, 1), num_head_channels=32, **native(768)),
        1_335_480_400,
        SD_LIKE,
    ),
    "stable-diffusion-v1": stable_diffusion(859_520_964, 768, num_heads=8),
    "stable-diffusion-v1-inpainting": stable_diffusion(
        859_535_364, 768, num_heads=8, spatial=INPAINTING
    ),
    "stable-diffusion-v2": stable_diffusion(865_910_724, 1024, **SD_2),
    "stable-diffusion-v2-inpainting": stable_diffusion(
        865_925_124, 1024, **SD_2, spatial=INPAINTING
    ),
    "sdxl-base": sdxl(2_567_463_684, **SDXL_BASE),
    "sdxl-inpainting": sdxl(2_567_478_084, **SDXL_BASE, spatial=INPAINTING),
    "sdxl-refiner": sdxl(
        2_259_526_660,
        384,
        (1, 2, 4, 4),
        range(3, 9),
        transformer_depth=4,
        vectors={"prompt": 1280, "size": 5 * 256},
        **native(1280),
    ),
}

Shapes = Iterator[tuple[str, tuple[int, ...]]]


def norm(name: str, c: int) -> Shapes:
    yield from ((f"{name}.weight", (c,)), (f"{name}.bias", (c,)))


def conv(name: str, width: int, c: int, *sides: int) -> Shapes:
    yield from ((f"{name}.weight", (c, width, *sides)), (f"{name}.bias", (c,)))


def res_block(name: str, width: int, c: int, config: UNetConfig) -> Shapes:
    yield from norm(f"{name}.in_layers.0", width)
    yield from conv(f"{name}.in_layers.2", width, c, 3, 3)
    emb = 2 * c if config.use_scale_shift_norm else c
    yield from conv(f"{name}.emb_layers.1", 4 * config.model_channels, emb)
    yield from norm(f"{name}.out_layers.0", c)
    yield from conv(f"{name}.out_layers.3", c, c, 3, 3)
    if width != c:
        yield from conv(f"{name}.skip_connection", width, c, 1, 1)


def attention(name: str, c: int, config: UNetConfig, level: int) -> Shapes:
    yield from norm(f"{name}.norm", c)
    if config.context_dim is None:
        yield from conv(f"{name}.qkv", c, 3 * c, 1)
        yield from conv(f"{name}.proj_out", c, c, 1)
        return
    sides = () if config.use_linear_projections else (1, 1)
    for projection in ("proj_in", "proj_out"):
        yield from conv(f"{name}.{projection}", c, c, *sides)
    depth = config.transformer_depth
    for d in range(depth if isinstance(depth, int) else depth[level]):
        block = f"{name}.transformer_blocks.{d}"
        for layer, width in (("attn1", c), ("attn2", config.context_dim)):
            yield f"{block}.{layer}.to_q.weight", (c, c)
            yield f"{block}.{layer}.to_k.weight", (c, width)
            yield f"{block}.{layer}.to_v.weight", (c, width)
            yield from conv(f"{block}.{layer}.to_out.0", c, c)
        yield from conv(f"{block}.ff.net.0.proj", c, 8 * c)
        yield from conv(f"{block}.ff.net.2", 4 * c, c)
        for k in (1, 2, 3):
            yield from norm(f"{block}.norm{k}", c)


def resampling(name: str, layer: str, c: int, config: UNetConfig) -> Shapes:
    if config.resblock_updown:
        yield from res_block(name, c, c, config)
    else:
        yield from conv(f"{name}.{layer}", c, c, 3, 3)


def schema(config: UNetConfig, places: Places) -> Shapes:
    """Yield the keys and shapes of a checkpoint, with attention at these places."""
    mc, r, last = config.model_channels, config.num_res_blocks, len(config.channel_mult) - 1
    widths = [mc * multiple for multiple in config.channel_mult]
    yield from conv("time_embed.0", mc, 4 * mc)
    yield from conv("time_embed.2", 4 * mc, 4 * mc)
    if config.joint_vectors:
        yield from conv("label_emb.0.0", sum(config.vectors.values()), 4 * mc)
        yield from conv("label_emb.0.2", 4 * mc, 4 * mc)
    width = config.in_channels + sum(config.spatial.values())
    yield from conv("input_blocks.0.0", width, mc, 3, 3)
    skips = [c := mc]
    for level, width in enumerate(widths):
        for i in range(r):
            at = 1 + level * (r + 1) + i
            yield from res_block(f"input_blocks.{at}.0", c, width, config)
            skips.append(c := width)
            if at in places.inputs:
                yield from attention(f"input_blocks.{at}.1", c, config, level)
        if level < last:
            yield from resampling(f"input_blocks.{(level + 1) * (r + 1)}.0", "op", c, config)
            skips.append(c)
    yield from res_block("middle_block.0", c, c, config)
    yield from attention("middle_block.1", c, config, last)
    yield from res_block("middle_block.2", c, c, config)
    for level in range(last, -1, -1):
        for i in range(r + 1):
            at = (last - level) * (r + 1) + i
            yield from res_block(f"output_blocks.{at}.0", c + skips.pop(), widths[level], config)
            c = widths[level]
            if at in places.outputs:
                yield from attention(f"output_blocks.{at}.1", c, config, level)
            if level > 0 and i == r:
                name = f"output_blocks.{at}.{2 if at in places.outputs else 1}"
                yield from resampling(name, "conv", c, config)
    yield from norm("out.0", c)
    yield from conv("out.2", c, config.out_channels, 3, 3)


def on_meta(config: UNetConfig) -> UNet:
    with torch.device("meta"):
        return UNet(config)


@pytest.mark.parametrize("name", PUBLISHED)
def test_keys_shapes_and_totals_match(name: str) -> None:
    config, total, places = PUBLISHED[name]
    model = on_meta(config)
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert shapes == dict(schema(config, places))
    assert sum(parameter.numel() for parameter in model.parameters()) == total


TEXT_TIME = {
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "use_linear_projection": True,
}
UNETS = {
    "celeba256": (
        "UNet2DModel",
        {
            "block_out_channels": (224, 448, 672, 896),
            "down_block_types": ("DownBlock2D", *["AttnDownBlock2D"] * 3),
            "up_block_types": (*["AttnUpBlock2D"] * 3, "UpBlock2D"),
            "attention_head_dim": 32,
        },
    ),
    "stable-diffusion-v1": ("UNet2DConditionModel", {"cross_attention_dim": 768}),
    "stable-diffusion-v1-inpainting": (
        "UNet2DConditionModel",
        {"cross_attention_dim": 768, "in_channels": 9},
    ),
    "stable-diffusion-v2": (
        "UNet2DConditionModel",
        {
            "cross_attention_dim": 1024,
            "attention_head_dim": (5, 10, 20, 20),
            "use_linear_projection": True,
        },
    ),
    "sdxl-base": (
        "UNet2DConditionModel",
        {
            "block_out_channels": (320, 640, 1280),
            "down_block_types": ("DownBlock2D", *["CrossAttnDownBlock2D"] * 2),
            "up_block_types": (*["CrossAttnUpBlock2D"] * 2, "UpBlock2D"),
            "attention_head_dim": (5, 10, 20),
            "cross_attention_dim": 2048,
            "transformer_layers_per_block": (1, 2, 10),
            "projection_class_embeddings_input_dim": 2816,
            **TEXT_TIME,
        },
    ),
    "sdxl-refiner": (
        "UNet2DConditionModel",
        {
            "block_out_channels": (384, 768, 1536, 1536),
            "down_block_types": ("DownBlock2D", *["CrossAttnDownBlock2D"] * 2, "DownBlock2D"),
            "up_block_types": ("UpBlock2D", *["CrossAttnUpBlock2D"] * 2, "UpBlock2D"),
            "attention_head_dim": (6, 12, 24, 24),
            "cross_attention_dim": 1280,
            "transformer_layers_per_block": 4,
            "projection_class_embeddings_input_dim": 2560,
            **TEXT_TIME,
        },
    ),
}


@pytest.mark.parametrize("name", UNETS)
def test_parameter_counts_equal_diffusers(name: str) -> None:
    diffusers = pytest.importorskip("diffusers")
    kind, options = UNETS[name]
    with torch.device("meta"):
        theirs = getattr(diffusers, kind)(**options)
    assert sum(parameter.numel() for parameter in theirs.parameters()) == PUBLISHED[name].total


def test_keys_of_stable_diffusion_match() -> None:
    """Written out, so that the schema above cannot share a mistake with the model."""
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


def test_keys_of_sdxl_match() -> None:
    model = on_meta(PUBLISHED["sdxl-base"].config)
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    expected = {
        "label_emb.0.0.weight": (1280, 2816),
        "label_emb.0.2.bias": (1280,),
        "input_blocks.4.1.proj_in.weight": (640, 640),
        "input_blocks.4.1.transformer_blocks.1.attn2.to_k.weight": (640, 2048),
        "input_blocks.8.1.transformer_blocks.9.attn1.to_q.weight": (1280, 1280),
        "middle_block.1.transformer_blocks.9.ff.net.2.weight": (1280, 5120),
        "output_blocks.2.2.conv.weight": (1280, 1280, 3, 3),
        "output_blocks.5.1.transformer_blocks.1.norm3.weight": (640,),
        "output_blocks.8.0.skip_connection.weight": (320, 640, 1, 1),
    }
    assert {key: shapes.get(key) for key in expected} == expected
    assert len(shapes) == 1680
    assert len(model.cross_attentions) == 70


@pytest.mark.parametrize("name", ["celeba256", "stable-diffusion-v1"])
def test_only_the_norm_before_a_transformer_has_the_smaller_epsilon(name: str) -> None:
    model = on_meta(PUBLISHED[name][0])
    for path, norm in model.named_modules():
        if isinstance(norm, nn.GroupNorm):
            parent = model.get_submodule(path.rpartition(".")[0])
            assert norm.eps == (1e-6 if isinstance(parent, SpatialTransformer) else 1e-5), path
            assert norm.num_groups == 32
