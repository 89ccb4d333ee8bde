"""The UNet in a YAML of CompVis. Its tensors have our names."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from latelier.checkpoints.importers.compvis.target import Target
from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.importing import ImportedPart

_SAME = (
    "out_channels",
    "model_channels",
    "channel_mult",
    "num_res_blocks",
    "attention_resolutions",
    "dropout",
    "use_scale_shift_norm",
    "resblock_updown",
    "conv_resample",
)
_WITH_CONTEXT = ("in_channels", "num_heads", "num_head_channels")
_TRANSFORMER = ("use_spatial_transformer", "transformer_depth", "context_dim")
_OTHER = ("use_linear_in_transformer", "use_new_attention_order", "num_classes")
_FIXED: Mapping[str, tuple[Any, ...]] = {
    "dims": (2,),
    "n_embed": (None,),
    "num_heads_upsample": (-1,),
    "disable_self_attentions": (None,),
    "num_attention_blocks": (None,),
    "disable_middle_self_attn": (False,),
    "adm_in_channels": (None,),
}
_IGNORED = ("image_size", "use_checkpoint", "use_fp16", "use_bf16", "legacy")


def unet_part(
    target: Target,
    tensors: Mapping[str, Tensor],
    latent_channels: int,
    streams: Mapping[str, int],
    spatial: Mapping[str, int],
    vectors: Mapping[str, int],
) -> ImportedPart:
    """Return the UNet.

    Args:
        target: class and parameters.
        tensors: plain or averaged.
        latent_channels: of the first stage; the other input channels are spatial conditions.
        streams: name -> width of the conditions that it attends to.
        spatial: name -> channels of the conditions that are concatenated to the latents, in order.
        vectors: name -> width of the conditions that are added to the timestep embedding.

    Raises:
        InvalidConfigError: a parameter is not supported.
    """
    wanted = (*_SAME, *_WITH_CONTEXT, *_TRANSFORMER, *_OTHER)
    params = target.pick_params(wanted, _FIXED, _IGNORED)
    if params.get("num_classes") is not None and not vectors:
        raise InvalidConfigError(
            f"'{target.name}' has num_classes: {params['num_classes']}, which is supported with "
            "conditioning_key: adm alone"
        )
    config = {key: params[key] for key in _SAME if key in params}
    config |= _heads(params)
    config |= {"in_channels": latent_channels, "spatial": dict(spatial)}
    config |= {"vectors": dict(vectors), "native_vectors": list(vectors)}
    if params.get("use_spatial_transformer"):
        config |= _transformer(params, streams)
    if params.get("use_new_attention_order"):
        tensors = interleave_heads(tensors, params)
    return ImportedPart("latelier/unet", config, tensors)


def _heads(params: Mapping[str, Any]) -> dict[str, int]:
    """Return num_head_channels where it is given, else num_heads."""
    channels = params.get("num_head_channels", -1)
    if channels not in (-1, None):
        return {"num_head_channels": channels}
    return {"num_heads": params.get("num_heads", -1)}


def _transformer(params: Mapping[str, Any], streams: Mapping[str, int]) -> dict[str, Any]:
    width = params.get("context_dim")
    if isinstance(width, list | tuple) and len(set(width)) == 1:
        width = width[0]
    return {
        "transformer_depth": params.get("transformer_depth", 1),
        "context_dim": width,
        "use_linear_projections": params.get("use_linear_in_transformer", False),
        "streams": {name: {"width": each, "injection": "native"} for name, each in streams.items()},
    }


def interleave_heads(tensors: Mapping[str, Tensor], params: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the tensors with q, k and v of each head together; they were q, k, v of all heads."""
    heads = _heads(params)
    found = dict(tensors)
    for name in tensors:
        if ".qkv." in name:
            joint = tensors[name]  # (3 C, C, 1) or (3 C,)
            width = len(joint) // 3
            count = heads.get("num_heads") or width // heads["num_head_channels"]
            split = joint.reshape(3, count, width // count, *joint.shape[1:])
            found[name] = split.transpose(0, 1).reshape(joint.shape)
    return found
