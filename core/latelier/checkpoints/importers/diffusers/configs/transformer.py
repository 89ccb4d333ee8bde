"""The configuration of a diffusion transformer, from that of diffusers."""

from collections.abc import Mapping
from typing import Any

from latelier.checkpoints.importers.diffusers.configs.types import (
    TransformerParameters,
    check_types,
)
from latelier.checkpoints.importers.diffusers.configs.unet import CLASSES
from latelier.checkpoints.importers.parameters import pick_params
from latelier.contracts.errors import InvalidConfigError

DITS = ("DiTTransformer2DModel", "Transformer2DModel")
"""Its classes. Published folders name the second, which diffusers has renamed to the first."""

_DEFAULTS: Mapping[str, Any] = {
    "num_attention_heads": 16,
    "attention_head_dim": 72,
    "in_channels": 4,
    "out_channels": None,
    "num_layers": 28,
    "sample_size": 32,
    "patch_size": 2,
}
"""Defaults of diffusers."""

_FIXED: Mapping[str, tuple[Any, ...]] = {
    "norm_type": ("ada_norm_zero",),
    "activation_fn": ("gelu-approximate",),
    "attention_bias": (True,),
    "norm_elementwise_affine": (False,),
    "dropout": (0, 0.0),
    "double_self_attention": (False,),
    "only_cross_attention": (False,),
    "use_linear_projection": (False,),
    "attention_type": ("default",),
    "cross_attention_dim": (None,),
    "num_vector_embeds": (None,),
    "caption_channels": (None,),
}
_IGNORED = ("norm_num_groups", "upcast_attention", "num_embeds_ada_norm", "norm_eps")


def dit_config_from_diffusers(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of our configuration.

    Raises:
        InvalidConfigError: a parameter is not supported.
    """
    name = config["_class_name"]
    params = {key: value for key, value in config.items() if not key.startswith("_")}
    if params.get("norm_type", "ada_norm_zero" if name == DITS[0] else None) != "ada_norm_zero":
        raise InvalidConfigError(
            f"'{name}' has norm_type: {params.get('norm_type')}; supported is ada_norm_zero (DiT)"
        )
    given = {**_DEFAULTS, **pick_params(name, params, tuple(_DEFAULTS), _FIXED, _IGNORED)}
    check_types(TransformerParameters, name, {**params, **given})
    latents, out = given["in_channels"], given["out_channels"] or given["in_channels"]
    if out not in (latents, 2 * latents):
        raise InvalidConfigError(
            f"'{name}' has out_channels: {out}; supported is {latents}, or {2 * latents} with a "
            "variance"
        )
    width = given["num_attention_heads"] * given["attention_head_dim"]
    return {
        "in_channels": latents,
        "out_channels": latents,
        "input_size": given["sample_size"],
        "patch_size": given["patch_size"],
        "hidden_size": width,
        "depth": given["num_layers"],
        "num_heads": given["num_attention_heads"],
        "learn_sigma": out != latents,
        "vectors": {CLASSES: width},
        "native_vectors": [CLASSES],
    }
