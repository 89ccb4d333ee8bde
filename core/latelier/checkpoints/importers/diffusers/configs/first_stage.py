"""The configurations of first stages, to and from those of diffusers."""

from collections.abc import Mapping
from typing import Any

from latelier.checkpoints.importers.diffusers.configs.types import (
    AutoencoderParameters,
    check_types,
)
from latelier.checkpoints.importers.parameters import pick_params
from latelier.contracts.errors import CompatibilityError, InvalidConfigError

KL, VQ, TINY = "AutoencoderKL", "VQModel", "AutoencoderTiny"

_LAYERS = (
    "in_channels",
    "out_channels",
    "block_out_channels",
    "down_block_types",
    "up_block_types",
    "layers_per_block",
    "latent_channels",
    "norm_num_groups",
    "sample_size",
    "scaling_factor",
    "mid_block_add_attention",
)
_CONVOLUTIONS = ("use_quant_conv", "use_post_quant_conv")
_KL_ONLY = ("shift_factor", "latents_mean", "latents_std", *_CONVOLUTIONS)
_FIXED: Mapping[str, tuple[Any, ...]] = {"act_fn": ("silu",)}
_FIXED_VQ = {**_FIXED, "norm_type": ("group",), "lookup_from_codebook": (False,)}
_DEFAULTS: Mapping[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "block_out_channels": (64,),
    "down_block_types": ("DownEncoderBlock2D",),
    "up_block_types": ("UpDecoderBlock2D",),
    "layers_per_block": 1,
    "norm_num_groups": 32,
    "sample_size": 32,
    "scaling_factor": 0.18215,
    "mid_block_add_attention": True,
}
"""Defaults of diffusers."""

_DEFAULTS_VQ: Mapping[str, Any] = {
    "latent_channels": 3,
    "num_vq_embeddings": 256,
    "scaling_factor": 1.0,
}
"""Defaults that differ for codes. Folders without a scaling factor are older than that field, and
none of the paper's models of codes is scaled. diffusers now assumes 0.18215, which spoils their
pictures (its issue 6725)."""

_TINY_SAME = (
    "in_channels",
    "out_channels",
    "encoder_block_out_channels",
    "decoder_block_out_channels",
    "num_encoder_blocks",
    "num_decoder_blocks",
    "latent_magnitude",
    "latent_shift",
)
_TINY_RENAMED = {"latent_channels": "z_channels", "scaling_factor": "scale_factor"}
_FIXED_TINY: Mapping[str, tuple[Any, ...]] = {
    "act_fn": ("relu",),
    "upsample_fn": ("nearest",),
    "upsampling_scaling_factor": (2,),
    "shift_factor": (0, 0.0),
    "block_out_channels": ((64, 64, 64, 64), [64, 64, 64, 64]),
}


def autoencoder_config_from_diffusers(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an `autoencoder_kl` or `autoencoder_vq`.

    Raises:
        InvalidConfigError: a parameter is not supported.
    """
    name = config["_class_name"]
    params = {key: value for key, value in config.items() if not key.startswith("_")}
    if name == KL:
        given = pick_params(name, params, (*_LAYERS, *_KL_ONLY), _FIXED, ("force_upcast",))
        given = {**_DEFAULTS, "latent_channels": 4, **given}
        check_types(AutoencoderParameters, name, given)
        more = {key: given[key] for key in _CONVOLUTIONS if key in given}
        more |= {"embed_dim": given["latent_channels"], **_factors(name, given)}
    else:
        wanted = (*_LAYERS, "num_vq_embeddings", "vq_embed_dim")
        given = pick_params(name, params, wanted, _FIXED_VQ, ("force_upcast",))
        given = {**_DEFAULTS, **_DEFAULTS_VQ, **given}
        check_types(AutoencoderParameters, name, given)
        more = {
            "embed_dim": given.get("vq_embed_dim") or given["latent_channels"],
            "n_embed": given["num_vq_embeddings"],
        }
    return _layer_config(name, given) | more


def autoencoder_config_to_diffusers(config: Any) -> dict[str, Any]:
    """Return the config.json of an `autoencoder_kl` or `autoencoder_vq`.

    Raises:
        CompatibilityError: diffusers has no such autoencoder; the error names the difference.
    """
    quantized = hasattr(config, "n_embed")
    if config.patch_size != 1:
        raise CompatibilityError(
            f"diffusers has no autoencoder of patches; patch_size is {config.patch_size}"
        )
    if config.attn_type == "linear" or (not quantized and config.embed_dim != config.z_channels):
        raise CompatibilityError(
            "diffusers has no autoencoder with linear attention, or of other embed_dim than "
            "z_channels"
        )
    attends = [
        config.attn_type != "none" and config.has_attention(level)
        for level in range(len(config.ch_mult))
    ]
    if config.num_groups is None:
        raise CompatibilityError(
            "diffusers has no autoencoder whose norms are of each position (num_groups null)"
        )
    found = {
        "_class_name": VQ if quantized else KL,
        "in_channels": config.in_channels,
        "out_channels": config.out_ch,
        "block_out_channels": [config.ch * multiple for multiple in config.ch_mult],
        "down_block_types": [_block_type("Down", "Encoder", each) for each in attends],
        "up_block_types": [_block_type("Up", "Decoder", each) for each in reversed(attends)],
        "layers_per_block": config.num_res_blocks,
        "latent_channels": config.z_channels,
        "norm_num_groups": config.num_groups,
        "sample_size": config.resolution,
        "scaling_factor": config.scale_factor,
        "mid_block_add_attention": config.attn_type != "none",
    }
    if quantized:
        if config.shift_factor != 0 or not isinstance(config.scale_factor, float):
            raise CompatibilityError(
                "diffusers has no quantized autoencoder with a shift_factor, or with a "
                "scale_factor for each channel"
            )
        return found | {"num_vq_embeddings": config.n_embed, "vq_embed_dim": config.embed_dim}
    convolutions = {name: getattr(config, name) for name in _CONVOLUTIONS}
    return found | _factors_to_diffusers(config) | convolutions


def tiny_config_from_diffusers(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a `tiny` first stage.

    Raises:
        InvalidConfigError: a parameter is not supported.
    """
    params = {key: value for key, value in config.items() if not key.startswith("_")}
    wanted = (*_TINY_SAME, *_TINY_RENAMED)
    given = pick_params(TINY, params, wanted, _FIXED_TINY, ("force_upcast",))
    return {_TINY_RENAMED.get(key, key): value for key, value in given.items()}


def tiny_config_to_diffusers(config: Any) -> dict[str, Any]:
    """Return the config.json of a `tiny` first stage.

    Raises:
        CompatibilityError: it has group norms, which that of diffusers has not.
    """
    if config.use_midblock_gn:
        raise CompatibilityError(
            "diffusers has no tiny autoencoder with group norms; use_midblock_gn is true"
        )
    renamed = {theirs: getattr(config, ours) for theirs, ours in _TINY_RENAMED.items()}
    return {"_class_name": TINY, **{key: getattr(config, key) for key in _TINY_SAME}, **renamed}


def _factors(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scale and shift of an AutoencoderKL; a mean and deviation are per channel."""
    mean, std, scale = (given.get(key) for key in ("latents_mean", "latents_std", "scaling_factor"))
    if (mean is None) != (std is None):
        raise InvalidConfigError(f"'{name}' has one of latents_mean and latents_std; it needs both")
    if mean is None or std is None:
        return {"shift_factor": given.get("shift_factor") or 0.0}
    if given.get("shift_factor"):
        raise InvalidConfigError(f"'{name}' has both shift_factor and latents_mean")
    return {"scale_factor": [scale / each for each in std], "shift_factor": mean}


def _factors_to_diffusers(config: Any) -> dict[str, Any]:
    if isinstance(config.scale_factor, float) and isinstance(config.shift_factor, float):
        return {"scaling_factor": config.scale_factor, "shift_factor": config.shift_factor or None}
    scales, shifts = (
        [each] * config.embed_dim if isinstance(each, float) else list(each)
        for each in (config.scale_factor, config.shift_factor)
    )
    std = [1 / each for each in scales]
    return {"scaling_factor": 1.0, "latents_mean": shifts, "latents_std": std}


def _layer_config(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    widths = list(given["block_out_channels"])
    attends = ["Attn" in kind for kind in given["down_block_types"]]
    size = given["sample_size"]
    resolution = size if isinstance(size, int) else size[0]
    sides = (("Down", "Encoder"), ("Up", "Decoder"))
    known = {_block_type(*side, each) for side in sides for each in (True, False)}
    for kind in (*given["down_block_types"], *given["up_block_types"]):
        if kind not in known:
            raise InvalidConfigError(
                f"'{name}' has a level of the type '{kind}', which is not supported"
            )
    if ["Attn" in kind for kind in reversed(given["up_block_types"])] != attends:
        raise InvalidConfigError(f"'{name}' attends at other levels going up than going down")
    if any(width % widths[0] for width in widths):
        raise InvalidConfigError(f"'{name}' has levels of {widths}: not multiples of the first")
    if not given["mid_block_add_attention"] and any(attends):
        raise InvalidConfigError(f"'{name}' attends at levels, but not in the middle")
    return {
        "ch": widths[0],
        "ch_mult": [width // widths[0] for width in widths],
        "num_res_blocks": given["layers_per_block"],
        "attn_resolutions": [resolution // 2**i for i, each in enumerate(attends) if each],
        "resolution": resolution,
        "in_channels": given["in_channels"],
        "out_ch": given["out_channels"],
        "z_channels": given["latent_channels"],
        "num_groups": given["norm_num_groups"],
        "attn_type": "vanilla" if given["mid_block_add_attention"] else "none",
        "scale_factor": given["scaling_factor"],
    }


def _block_type(way: str, side: str, attends: bool) -> str:
    return f"{'Attn' if attends else ''}{way}{side}Block2D"
