"""The same weights give what diffusers' UNets give (its own implementation of these models)."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from latelier.contracts.condition import Condition, Stream
from latelier.denoisers.configs import UNetConfig
from latelier.denoisers.unet import UNet
from latelier.nn.sinusoids import embed_numbers

unet_2d = pytest.importorskip("diffusers.models.unets.unet_2d")
unet_2d_condition = pytest.importorskip("diffusers.models.unets.unet_2d_condition")

RES = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
ENDS = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "vector_embeds.size": "class_embedding",
    "label_emb.0.0": "add_embedding.linear_1",
    "label_emb.0.2": "add_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}


def module_names(levels: int, r: int) -> dict[str, str]:
    """Return our block prefix -> theirs, for `levels` levels of `r` residual blocks."""
    names = {
        "middle_block.0": "mid_block.resnets.0",
        "middle_block.1": "mid_block.attentions.0",
        "middle_block.2": "mid_block.resnets.1",
    }
    for level in range(levels):
        down, up = f"down_blocks.{level}", f"up_blocks.{level}"
        for i in range(r):
            names[f"input_blocks.{1 + level * (r + 1) + i}.0"] = f"{down}.resnets.{i}"
            names[f"input_blocks.{1 + level * (r + 1) + i}.1"] = f"{down}.attentions.{i}"
        names[f"input_blocks.{(level + 1) * (r + 1)}.0"] = f"{down}.downsamplers.0"
        for i in range(r + 1):
            names[f"output_blocks.{level * (r + 1) + i}.0"] = f"{up}.resnets.{i}"
            names[f"output_blocks.{level * (r + 1) + i}.1"] = f"{up}.attentions.{i}"
        for i in (1, 2):
            names[f"output_blocks.{level * (r + 1) + r}.{i}+"] = f"{up}.upsamplers.0"
    return names


def translated(model: UNet) -> dict[str, Tensor]:
    """Return the state dict of a model under diffusers' names."""
    config = model.config
    names = module_names(len(config.channel_mult), config.num_res_blocks)
    result: dict[str, Tensor] = {}
    for prefix, module in model.named_modules():
        theirs = ENDS.get(prefix) or names.get(prefix)
        if type(module).__name__ in ("Upsample", "ResBlock") and f"{prefix}+" in names:
            theirs = names[f"{prefix}+"]
        if theirs is None:
            continue
        for key, value in module.state_dict().items():
            result.update(renamed(module, theirs, key, value, config))
    return result


def renamed(
    module: nn.Module, theirs: str, key: str, value: Tensor, config: UNetConfig
) -> dict[str, Tensor]:
    stem, _, leaf = key.rpartition(".")
    kind = type(module).__name__
    if kind == "ResBlock":
        return {f"{theirs}.{RES[stem]}.{leaf}": value}
    if kind == "Downsample":
        return {f"{theirs}.conv.{leaf}": value}
    if kind == "AttentionBlock" and stem == "qkv":
        heads = config.heads(value.shape[0] // 3)
        q, k, v = value.view(heads, 3, -1, *value.shape[1:]).unbind(1)
        parts = {"to_q": q, "to_k": k, "to_v": v}
        return {f"{theirs}.{n}.{leaf}": flat(part.flatten(0, 1)) for n, part in parts.items()}
    if kind == "AttentionBlock":
        stem = {"norm": "group_norm", "proj_out": "to_out.0"}[stem]
        return {f"{theirs}.{stem}.{leaf}": flat(value)}
    return {f"{theirs}.{key}": value}


def flat(weight: Tensor) -> Tensor:
    return weight.flatten(1) if weight.ndim > 1 else weight


def agree(
    filled: Callable[..., nn.Module],
    options: dict[str, Any],
    theirs: Any,
    added: dict[str, Tensor] | None = None,
    size: tuple[int, int] = (16, 24),
    **call: Any,
) -> None:
    """Compare ours of these options with theirs on one call.

    added: weights that only theirs has. size: of the latents. call: further arguments of theirs.
    """
    values: dict[str, Any] = {
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 32,
        "attention_resolutions": (1, 2),
        "num_groups": 8,
        **options,
    }
    ours = filled(UNet(UNetConfig.model_validate(values)))
    assert isinstance(ours, UNet)
    theirs.load_state_dict({**translated(ours), **(added or {})})
    generator = torch.Generator().manual_seed(3)
    x, t = torch.randn(2, 4, *size, generator=generator), torch.tensor([17.0, 803.0])
    spatial = {
        name: torch.randn(2, channels, *size, generator=generator)
        for name, channels in ours.config.spatial.items()
    }
    streams = {"text": Stream(call["encoder_hidden_states"])} if ours.config.streams else {}
    vectors = {name: VECTORS[name] for name in ours.config.vectors}
    with torch.no_grad():
        expected = theirs(torch.cat([x, *spatial.values()], dim=1), t, **call).sample
        result = ours(x, t, Condition(streams, spatial, vectors))
    assert expected.std() > 0.1
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)


TABLE = torch.randn(5, 128, generator=torch.Generator().manual_seed(5))
LABELS = torch.tensor([4, 1])
SIZES = torch.randn(2, 6, generator=torch.Generator().manual_seed(6))
POOLED = torch.randn(2, 16, generator=torch.Generator().manual_seed(7))
NUMBERS = torch.tensor([[768.0, 1024, 0, 128, 1024, 1024], [64, 96, 8, 0, 6, 1]])
VECTORS = {
    "class_label": TABLE[LABELS],
    "size": SIZES,
    "pooled": POOLED,
    **{f"numbers_{n}": embed_numbers(NUMBERS[:, :n], 8).flatten(1) for n in (5, 6)},
}
CLASSES: dict[str, Any] = {"vectors": {"class_label": 128}, "native_vectors": ("class_label",)}


CROSS = "CrossAttnDownBlock2D"
FIRST_THREE = {
    "block_out_channels": (32, 64, 96),
    "down_block_types": (CROSS, CROSS, "DownBlock2D"),
}
LAST_TWO = {"block_out_channels": (32, 64, 96), "down_block_types": ("DownBlock2D", CROSS, CROSS)}
WITH_A_CONTEXT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "SD 1": ({"num_heads": 4}, {**FIRST_THREE, "attention_head_dim": 4}),
    "SD 2": (
        {"num_head_channels": 8, "use_linear_projections": True},
        {**FIRST_THREE, "attention_head_dim": (4, 8, 12), "use_linear_projection": True},
    ),
    "SD inpainting": (
        {"num_heads": 4, "spatial": {"mask": 1, "masked_image": 4}},
        {**FIRST_THREE, "attention_head_dim": 4, "in_channels": 9},
    ),
    "text2img256": (
        {"num_head_channels": 16, "attention_resolutions": (4, 2)},
        {**LAST_TWO, "attention_head_dim": (2, 4, 6)},
    ),
    "layout": (
        {"num_head_channels": 16, "attention_resolutions": (4, 2), "transformer_depth": 3},
        {**LAST_TWO, "attention_head_dim": (2, 4, 6), "transformer_layers_per_block": 3},
    ),
    "cin256-v2": (
        {"num_heads": 1, "attention_resolutions": (4, 2)},
        {**LAST_TWO, "attention_head_dim": 1},
    ),
    "scale-shift": (
        {"num_heads": 4, "use_scale_shift_norm": True},
        {**FIRST_THREE, "attention_head_dim": 4, "resnet_time_scale_shift": "scale_shift"},
    ),
}
"""Options of ours and of theirs; in this class their attention_head_dim means the heads."""


SIZES_OF_LATENTS = [(16, 24), (65, 37)]
"""Of pictures of 192 x 128 and of 296 x 520 pixels, whose sides are odd at most levels."""


@pytest.mark.parametrize("size", SIZES_OF_LATENTS)
@pytest.mark.parametrize(
    ("options", "their_options"), WITH_A_CONTEXT.values(), ids=WITH_A_CONTEXT.keys()
)
def test_a_model_with_a_context_equals_diffusers(
    filled: Callable[..., nn.Module],
    options: dict[str, Any],
    their_options: dict[str, Any],
    size: tuple[int, int],
) -> None:
    theirs = theirs_with_a_context(**their_options)
    agree(filled, {**CONTEXT, **options}, theirs, size=size, **TEXT)


CONTEXT: dict[str, Any] = {
    "channel_mult": (1, 2, 3),
    "context_dim": 24,
    "streams": {"text": {"width": 24, "injection": "native"}},
}
TEXT = {"encoder_hidden_states": torch.randn(2, 5, 24, generator=torch.Generator().manual_seed(4))}


def theirs_with_a_context(**options: Any) -> Any:
    ups = [name.replace("Down", "Up") for name in reversed(options["down_block_types"])]
    values = {"in_channels": 4, "layers_per_block": 2, "cross_attention_dim": 24, **options}
    return unet_2d_condition.UNet2DConditionModel(
        out_channels=4, norm_num_groups=8, up_block_types=ups, **values
    )


def test_a_vector_through_a_linear_layer_equals_diffusers(filled: Callable[..., nn.Module]) -> None:
    theirs = theirs_with_a_context(
        **FIRST_THREE,
        attention_head_dim=4,
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=6,
    )
    options = {**CONTEXT, "num_heads": 4, "vectors": {"size": 6}}
    added = {"class_embedding.bias": torch.zeros(128)}
    agree(filled, options, theirs, added, class_labels=SIZES, **TEXT)


SDXL: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "base": (
        {"channel_mult": (1, 2, 4), "transformer_depth": (1, 2, 3)},
        {
            "block_out_channels": (32, 64, 128),
            "down_block_types": ("DownBlock2D", CROSS, CROSS),
            "attention_head_dim": (2, 4, 8),
            "transformer_layers_per_block": (1, 2, 3),
        },
        6,
    ),
    "refiner": (
        {"channel_mult": (1, 2, 4, 4), "transformer_depth": 2},
        {
            "block_out_channels": (32, 64, 128, 128),
            "down_block_types": ("DownBlock2D", CROSS, CROSS, "DownBlock2D"),
            "attention_head_dim": (2, 4, 8, 8),
            "transformer_layers_per_block": 2,
        },
        5,
    ),
}
"""Options of ours and of theirs, and the count of numbers that say how a picture was cut."""


@pytest.mark.parametrize("size", SIZES_OF_LATENTS)
@pytest.mark.parametrize(("options", "their_options", "count"), SDXL.values(), ids=SDXL.keys())
def test_sdxl_equals_diffusers(
    filled: Callable[..., nn.Module],
    options: dict[str, Any],
    their_options: dict[str, Any],
    count: int,
    size: tuple[int, int],
) -> None:
    theirs = theirs_with_a_context(
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=16 + 8 * count,
        **their_options,
    )
    ours = {
        **CONTEXT,
        "num_head_channels": 16,
        "attention_resolutions": (4, 2),
        "use_linear_projections": True,
        "vectors": {f"numbers_{count}": 8 * count, "pooled": 16},
        "joint_vectors": ("pooled", f"numbers_{count}"),
        **options,
    }
    added = {"text_embeds": POOLED, "time_ids": NUMBERS[:, :count]}
    agree(filled, ours, theirs, size=size, added_cond_kwargs=added, **TEXT)


WITHOUT_A_CONTEXT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "celeba": (
        {"num_head_channels": 16, "channel_mult": (1, 2, 3), "attention_resolutions": (4, 2)},
        {"down_block_types": ("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D")},
    ),
    "churches": (
        {
            "num_head_channels": 16,
            "channel_mult": (1, 2),
            "use_scale_shift_norm": True,
            "resblock_updown": True,
        },
        {
            "down_block_types": ("AttnDownBlock2D", "AttnDownBlock2D"),
            "resnet_time_scale_shift": "scale_shift",
            "downsample_type": "resnet",
            "upsample_type": "resnet",
        },
    ),
    "inpainting_big": (
        {
            "num_heads": 4,
            "channel_mult": (1, 2),
            "attention_resolutions": (2,),
            "resblock_updown": True,
            "spatial": {"masked_image": 3, "mask": 1},
        },
        {
            "down_block_types": ("ResnetDownsampleBlock2D", "AttnDownBlock2D"),
            "up_block_types": ("AttnUpBlock2D", "ResnetUpsampleBlock2D"),
            "downsample_type": "resnet",
            "upsample_type": "resnet",
            "in_channels": 8,
        },
    ),
    "semantic_synthesis": (
        {
            "num_heads": 8,
            "channel_mult": (1, 4),
            "attention_resolutions": (8,),
            "spatial": {"semantic_map": 3},
        },
        {"down_block_types": ("DownBlock2D", "DownBlock2D"), "in_channels": 7},
    ),
    "class embedding": (
        {"num_head_channels": 16, "channel_mult": (1, 2), **CLASSES},
        {"down_block_types": ("AttnDownBlock2D", "AttnDownBlock2D"), "num_class_embeds": 5},
    ),
}


@pytest.mark.parametrize(
    ("options", "their_options"), WITHOUT_A_CONTEXT.values(), ids=WITHOUT_A_CONTEXT.keys()
)
def test_a_model_without_a_context_equals_diffusers(
    filled: Callable[..., nn.Module], options: dict[str, Any], their_options: dict[str, Any]
) -> None:
    downs = their_options["down_block_types"]
    values = {
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": [32 * multiple for multiple in options["channel_mult"]],
        "up_block_types": [name.replace("Down", "Up") for name in reversed(downs)],
        "layers_per_block": 2,
        "attention_head_dim": 16,
        "norm_num_groups": 8,
        "attn_norm_num_groups": 8,
        "norm_eps": 1e-5,
        "flip_sin_to_cos": True,
        "freq_shift": 0,
        "downsample_padding": 1,
        **their_options,
    }
    theirs = unet_2d.UNet2DModel(**values)
    if "vectors" in options:
        table = {"class_embedding.weight": TABLE}
        agree(filled, options, theirs, table, class_labels=LABELS)
    else:
        agree(filled, options, theirs)
