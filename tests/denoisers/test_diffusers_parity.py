"""The same weights give what diffusers' UNets give (its own implementation of these models)."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from latelier.denoisers.unet import UNet
from latelier.denoisers.unet_config import UNetConfig
from latelier.kernel.condition import Condition, Stream

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


def inputs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, 4, 16, 16, generator=generator), torch.tensor([17.0, 803.0])


@pytest.mark.parametrize("linear", [False, True], ids=["SD 1", "SD 2"])
def test_a_model_with_a_context(filled: Callable[..., nn.Module], linear: bool) -> None:
    config = UNetConfig.model_validate(
        {
            "in_channels": 4,
            "out_channels": 4,
            "model_channels": 32,
            "channel_mult": (1, 2, 3),
            "attention_resolutions": (1, 2),
            "num_heads": 4,
            "num_groups": 8,
            "context_dim": 24,
            "use_linear_projections": linear,
            "streams": {"text": {"width": 24, "way": "native"}},
        }
    )
    ours = filled(UNet(config))
    assert isinstance(ours, UNet)
    theirs = unet_2d_condition.UNet2DConditionModel(
        in_channels=4,
        out_channels=4,
        block_out_channels=(32, 64, 96),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=2,
        cross_attention_dim=24,
        attention_head_dim=4,  # in this class it means the number of heads
        norm_num_groups=8,
        use_linear_projection=linear,
    )
    theirs.load_state_dict(translated(ours))
    x, t = inputs()
    context = torch.randn(2, 5, 24, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        expected = theirs(x, t, context).sample
        result = ours(x, t, Condition({"text": Stream(context)}))
    assert expected.std() > 0.1
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(
    ("options", "their_options"),
    [
        ({}, {}),
        (
            {"use_scale_shift_norm": True, "resblock_updown": True},
            {
                "resnet_time_scale_shift": "scale_shift",
                "downsample_type": "resnet",
                "upsample_type": "resnet",
            },
        ),
    ],
    ids=["celeba", "churches"],
)
def test_a_model_without_a_context(
    filled: Callable[..., nn.Module], options: dict[str, Any], their_options: dict[str, Any]
) -> None:
    config = UNetConfig.model_validate(
        {
            "in_channels": 4,
            "out_channels": 4,
            "model_channels": 32,
            "channel_mult": (1, 2),
            "attention_resolutions": (1, 2),
            "num_head_channels": 16,
            "num_groups": 8,
            **options,
        }
    )
    ours = filled(UNet(config))
    assert isinstance(ours, UNet)
    theirs = unet_2d.UNet2DModel(
        in_channels=4,
        out_channels=4,
        block_out_channels=(32, 64),
        down_block_types=("AttnDownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D"),
        layers_per_block=2,
        attention_head_dim=16,
        norm_num_groups=8,
        attn_norm_num_groups=8,
        norm_eps=1e-5,
        flip_sin_to_cos=True,
        freq_shift=0,
        downsample_padding=1,
        **their_options,
    )
    theirs.load_state_dict(translated(ours))
    x, t = inputs()
    with torch.no_grad():
        expected = theirs(x, t).sample
        result = ours(x, t, Condition())
    assert expected.std() > 0.1
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=2e-5)
