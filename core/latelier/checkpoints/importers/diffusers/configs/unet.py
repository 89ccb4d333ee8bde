"""The configuration of a UNet, to and from that of diffusers."""

from collections.abc import Mapping, Sequence
from typing import Any

from latelier.checkpoints.importers.diffusers.configs.types import UNetParameters, check_types
from latelier.checkpoints.importers.parameters import pick_params
from latelier.checkpoints.importers.picture_size import PICTURE_SIZE
from latelier.contracts.errors import CompatibilityError, InvalidConfigError
from latelier.denoisers.configs import UNetConfig

PLAIN, CROSS = "UNet2DModel", "UNet2DConditionModel"
CLASSES = "class_label"
"""The condition that replaces a class embedding table inside a UNet."""

_SHARED = (
    "in_channels",
    "out_channels",
    "block_out_channels",
    "down_block_types",
    "up_block_types",
    "layers_per_block",
    "attention_head_dim",
    "norm_num_groups",
    "dropout",
    "resnet_time_scale_shift",
    "num_class_embeds",
)
_OF_PLAIN = (*_SHARED, "downsample_type", "upsample_type", "attn_norm_num_groups")
_ADDED = (
    "addition_embed_type",
    "addition_time_embed_dim",
    "projection_class_embeddings_input_dim",
)
_OF_CROSS = (
    *_SHARED,
    "cross_attention_dim",
    "num_attention_heads",
    "transformer_layers_per_block",
    "use_linear_projection",
    *_ADDED,
)
_FIXED: Mapping[str, tuple[Any, ...]] = {
    "center_input_sample": (False,),
    "flip_sin_to_cos": (True,),
    "freq_shift": (0,),
    "act_fn": ("silu",),
    "norm_eps": (1e-5,),
    "mid_block_scale_factor": (1,),
    "downsample_padding": (1,),
    "time_embedding_type": ("positional",),
    "class_embed_type": (None,),
    "time_embedding_dim": (None,),
}
_FIXED_PLAIN = {
    **_FIXED,
    "mid_block_type": ("UNetMidBlock2D",),
    "add_attention": (True,),
}
_FIXED_CROSS = {
    **_FIXED,
    "mid_block_type": ("UNetMidBlock2DCrossAttn",),
    "only_cross_attention": (False,),
    "dual_cross_attention": (False,),
    "attention_type": ("default",),
    "conv_in_kernel": (3,),
    "conv_out_kernel": (3,),
    "resnet_skip_time_act": (False,),
    "resnet_out_scale_factor": (1.0,),
    "class_embeddings_concat": (False,),
}
_IGNORED = (
    "sample_size",
    "upcast_attention",
    "num_train_timesteps",
    "addition_embed_type_num_heads",
)
_RESIDUAL_TYPES = ("ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D")
_DOWN = {
    "DownBlock2D": False,
    "ResnetDownsampleBlock2D": False,
    "AttnDownBlock2D": True,
    "CrossAttnDownBlock2D": True,
}
"""Type of a level on the way down -> whether it attends."""

_UP = {"UpBlock2D", "ResnetUpsampleBlock2D", "AttnUpBlock2D", "CrossAttnUpBlock2D"}
"""Types of a level on the way up."""


def unet_config_from_diffusers(
    config: Mapping[str, Any], stream: str | None, spatial: Mapping[str, int]
) -> dict[str, Any]:
    """Return the fields of our configuration.

    Args:
        config: a config.json of diffusers, with its `_class_name`.
        stream: name of the condition that a UNet2DConditionModel attends to.
        spatial: name -> channels of the spatial conditions, the last of its input channels.

    Raises:
        InvalidConfigError: a parameter is not supported.
    """
    name = config["_class_name"]
    params = {key: value for key, value in config.items() if not key.startswith("_")}
    cross = name == CROSS
    wanted, fixed = (_OF_CROSS, _FIXED_CROSS) if cross else (_OF_PLAIN, _FIXED_PLAIN)
    given = {**_DEFAULTS[name], **pick_params(name, params, wanted, fixed, _IGNORED)}
    check_types(UNetParameters, name, {**given, "sample_size": params.get("sample_size")})
    widths, types = list(given["block_out_channels"]), list(given["down_block_types"])
    if any(width % widths[0] for width in widths):
        raise InvalidConfigError(f"'{name}' has levels of {widths}: not multiples of the first")
    found = {
        "in_channels": given["in_channels"] - sum(spatial.values()),
        "out_channels": given["out_channels"],
        "model_channels": widths[0],
        "channel_mult": [width // widths[0] for width in widths],
        "num_res_blocks": given["layers_per_block"],
        "attention_resolutions": _attention_factors(name, types, list(given["up_block_types"])),
        "num_groups": given["norm_num_groups"],
        "dropout": given["dropout"],
        "use_scale_shift_norm": given["resnet_time_scale_shift"] == "scale_shift",
        "resblock_updown": _resamples_in_blocks(name, given, types),
        "spatial": dict(spatial),
    }
    if given.get("num_class_embeds") is not None:
        found |= {"vectors": {CLASSES: 4 * widths[0]}, "native_vectors": [CLASSES]}
    return found | (_cross_config(given, stream or "text") if cross else _plain_config(given))


def unet_config_to_diffusers(
    config: UNetConfig, sample_size: int, num_classes: int | None = None
) -> dict[str, Any]:
    """Return a config.json of diffusers.

    Args:
        config: ours.
        sample_size: side of the latents.
        num_classes: rows of its class embedding table, if there is one.

    Raises:
        CompatibilityError: diffusers has no such UNet; the error names the difference.
    """
    _check_exportable(config, num_classes)
    cross = config.context_dim is not None
    widths = [config.model_channels * multiple for multiple in config.channel_mult]
    attends = [2**level in config.attention_resolutions for level in range(len(widths))]
    found = {
        "_class_name": CROSS if cross else PLAIN,
        "sample_size": sample_size,
        "in_channels": config.in_channels + sum(config.spatial.values()),
        "out_channels": config.out_channels,
        "block_out_channels": widths,
        "layers_per_block": config.num_res_blocks,
        "norm_num_groups": config.num_groups,
        "dropout": config.dropout,
        "resnet_time_scale_shift": "scale_shift" if config.use_scale_shift_norm else "default",
        **_block_types(config, attends),
    }
    if num_classes is not None:
        found["num_class_embeds"] = num_classes
    heads = [config.heads(width) for width in widths]
    if cross:
        return found | {
            "attention_head_dim": heads[0] if len(set(heads)) == 1 else heads,
            "cross_attention_dim": config.context_dim,
            "transformer_layers_per_block": config.transformer_depth,
            "use_linear_projection": config.use_linear_projections,
        }
    if config.use_scale_shift_norm:
        # otherwise diffusers builds the attention in the middle without a norm
        found["attn_norm_num_groups"] = config.num_groups
    return found | {"attention_head_dim": _channels_per_head(config, widths, attends)}


_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    PLAIN: {
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": (224, 448, 672, 896),
        "down_block_types": ("DownBlock2D", *["AttnDownBlock2D"] * 3),
        "up_block_types": (*["AttnUpBlock2D"] * 3, "UpBlock2D"),
        "layers_per_block": 2,
        "attention_head_dim": 8,
        "norm_num_groups": 32,
        "dropout": 0.0,
        "resnet_time_scale_shift": "default",
        "downsample_type": "conv",
        "upsample_type": "conv",
        "attn_norm_num_groups": None,
    },
    CROSS: {
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (320, 640, 1280, 1280),
        "down_block_types": (*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"),
        "up_block_types": ("UpBlock2D", *["CrossAttnUpBlock2D"] * 3),
        "layers_per_block": 2,
        "attention_head_dim": 8,
        "norm_num_groups": 32,
        "dropout": 0.0,
        "resnet_time_scale_shift": "default",
        "cross_attention_dim": 1280,
        "num_attention_heads": None,
        "transformer_layers_per_block": 1,
        "use_linear_projection": False,
    },
}
"""Defaults of diffusers."""


def _attention_factors(name: str, down: Sequence[str], up: Sequence[str]) -> list[int]:
    """Return the downsampling factor of each level with attention."""
    for kind in (*down, *up):
        if kind not in {*_DOWN, *_UP}:
            raise InvalidConfigError(
                f"'{name}' has a level of the type '{kind}', which is not supported"
            )
    attends = [_DOWN[kind] for kind in down]
    if ["Attn" in kind for kind in reversed(up)] != attends:
        raise InvalidConfigError(f"'{name}' attends at other levels going up than going down")
    return [2**level for level, each in enumerate(attends) if each]


def _resamples_in_blocks(name: str, given: Mapping[str, Any], types: Sequence[str]) -> bool:
    """Return whether residual blocks change the size, at every level but the last."""
    by_type = [
        kind in _RESIDUAL_TYPES
        or ("Attn" in kind and given.get("downsample_type", "conv") == "resnet")
        for kind in types[:-1]
    ]
    if len(set(by_type)) > 1:
        raise InvalidConfigError(f"'{name}' changes size in residual blocks at some levels only")
    return any(by_type)


def _plain_config(given: Mapping[str, Any]) -> dict[str, int]:
    _check_middle_norm(given)
    channels = given["attention_head_dim"]
    return {"num_heads": 1} if channels is None else {"num_head_channels": channels}


def _check_middle_norm(given: Mapping[str, Any]) -> None:
    """Check that the attention in the middle has a norm, which scale-shift models may lack."""
    groups, own = given["norm_num_groups"], given["attn_norm_num_groups"]
    if own != groups and (own is not None or given["resnet_time_scale_shift"] == "scale_shift"):
        raise InvalidConfigError(
            f"'{PLAIN}' has attn_norm_num_groups: {own}; supported is {groups}, as norm_num_groups"
        )


def _cross_config(given: Mapping[str, Any], stream: str) -> dict[str, Any]:
    width = given["cross_attention_dim"]
    if not isinstance(width, int):
        raise InvalidConfigError(f"'{CROSS}' has levels that attend to other widths")
    return {
        "context_dim": width,
        "transformer_depth": given["transformer_layers_per_block"],
        "use_linear_projections": given["use_linear_projection"],
        "streams": {stream: {"width": width, "injection": "native"}},
        **_cross_heads(given),
        **_joint_vectors(given, stream),
    }


def _joint_vectors(given: Mapping[str, Any], stream: str) -> dict[str, Any]:
    """Return the vectors that SDXL adds: that of the text, and those of the numbers of a picture.

    The refiner has five numbers, and one text encoder, whose vector is as wide as its tokens. The
    others have six.
    """
    kind, number, total = (given.get(key) for key in _ADDED)
    if kind is None:
        return {}
    if number is None or total is None or total <= 6 * number:
        raise InvalidConfigError(
            f"'{CROSS}' has addition_embed_type '{kind}': expected an addition_time_embed_dim, and "
            "a projection_class_embeddings_input_dim of more than 6 of them"
        )
    count = 5 if total - 5 * number == given["cross_attention_dim"] else 6
    vectors = {stream: total - count * number, PICTURE_SIZE: count * number}
    return {"vectors": vectors, "joint_vectors": list(vectors)}


def _cross_heads(given: Mapping[str, Any]) -> dict[str, int]:
    """Return the number or size of heads. Despite its name `attention_head_dim` is their number."""
    heads = given["num_attention_heads"] or given["attention_head_dim"]
    if heads is None:
        raise InvalidConfigError(f"'{CROSS}' has no attention_head_dim")
    if isinstance(heads, int):
        return {"num_heads": heads}
    channels = {
        width // count for width, count in zip(given["block_out_channels"], heads, strict=True)
    }
    if len(channels) == 1:
        return {"num_head_channels": channels.pop()}
    if len(set(heads)) == 1:
        return {"num_heads": heads[0]}
    raise InvalidConfigError(f"'{CROSS}' has heads {heads}: neither their number nor size is fixed")


def _check_exportable(config: UNetConfig, num_classes: int | None) -> None:
    injections = [slot.injection for slot in config.streams.values()]
    vectors = () if num_classes is None else (CLASSES,)
    if config.joint_vectors:
        raise CompatibilityError("UNets with joint_vectors, as SDXL has, cannot be exported yet")
    faults = {
        "streams other than one native": config.context_dim is not None
        and injections != ["native"],
        "vectors that are not a class embedding table": tuple(config.vectors) != vectors
        or config.native_vectors != vectors,
        "conv_resample: false": not config.conv_resample,
        "residual up- and downsampling with a context": config.resblock_updown
        and config.context_dim is not None
        and bool(config.attention_resolutions),
    }
    found = [fault for fault, is_present in faults.items() if is_present]
    if found:
        raise CompatibilityError(f"diffusers has no UNet with {' and '.join(found)}")


def _block_types(config: UNetConfig, attends: Sequence[bool]) -> dict[str, Any]:
    attention = "CrossAttn" if config.context_dim is not None else "Attn"
    plain = ("ResnetDownsample", "ResnetUpsample") if config.resblock_updown else ("Down", "Up")
    types: dict[str, Any] = {
        "down_block_types": [f"{attention}Down" if each else plain[0] for each in attends],
        "up_block_types": [f"{attention}Up" if each else plain[1] for each in reversed(attends)],
    }
    types = {key: [f"{each}Block2D" for each in value] for key, value in types.items()}
    if config.resblock_updown and config.context_dim is None:
        types |= {"downsample_type": "resnet", "upsample_type": "resnet"}
    return types


def _channels_per_head(
    config: UNetConfig, widths: Sequence[int], attends: Sequence[bool]
) -> int | None:
    """Return the channels per head, None for one head. The middle, of the last width, attends."""
    if config.num_head_channels is not None:
        return config.num_head_channels
    if config.num_heads == 1:
        return None
    attending = {widths[-1], *(w for w, each in zip(widths, attends, strict=True) if each)}
    channels = {width // config.heads(width) for width in attending}
    if len(channels) > 1:
        raise CompatibilityError(
            f"diffusers counts channels per head, and num_heads: {config.num_heads} gives "
            f"{', '.join(map(str, sorted(channels)))} at different levels"
        )
    return channels.pop()
