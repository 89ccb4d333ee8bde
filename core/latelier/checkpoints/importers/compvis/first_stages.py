"""The first stages in a YAML of CompVis. Their tensors have our names."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from latelier.checkpoints.importers.compvis.target import Target
from latelier.contracts.importing import ImportedPart

_LAYERS = (
    "ch",
    "ch_mult",
    "num_res_blocks",
    "attn_resolutions",
    "resolution",
    "in_channels",
    "out_ch",
    "z_channels",
    "dropout",
    "attn_type",
)
_LAYERS_FIXED: Mapping[str, tuple[Any, ...]] = {
    "tanh_out": (False,),
    "give_pre_end": (False,),
    "use_linear_attn": (False,),
    "resamp_with_conv": (True,),
}
_LATENTS = ("scale_factor", "shift_factor", "use_quant_conv", "use_post_quant_conv")
"""Parameters of later models; a `scale_factor` here replaces that of the whole model."""

_TRAINING = (
    "lossconfig",
    "ckpt_path",
    "ignore_keys",
    "image_key",
    "monitor",
    "batch_resize_range",
    "scheduler_config",
    "lr_g_factor",
    "use_ema",
    "colorize_nlabels",
    "ema_decay",
    "learn_logvar",
)


def autoencoder_kl(
    target: Target, tensors: Mapping[str, Tensor], scale_factor: float
) -> ImportedPart:
    """Return a KL-regularised autoencoder.

    Raises:
        InvalidConfigError: a parameter is not supported.
    """
    params = target.pick_params(("ddconfig", "embed_dim", *_LATENTS), {}, _TRAINING)
    config = _layers(target, double_z=True) | {
        "embed_dim": params["embed_dim"],
        "scale_factor": scale_factor,
        **{name: params[name] for name in _LATENTS if name in params},
    }
    return ImportedPart(
        "latelier/autoencoder_kl", config, as_convolutions(drop_training_tensors(tensors))
    )


def autoencoder_vq(
    target: Target, tensors: Mapping[str, Tensor], scale_factor: float
) -> ImportedPart:
    """Return a vector-quantised autoencoder.

    Raises:
        InvalidConfigError: a parameter is not supported.
    """
    wanted = ("ddconfig", "embed_dim", "n_embed")
    params = target.pick_params(wanted, {}, (*_TRAINING, "remap", "sane_index_shape"))
    config = _layers(target, double_z=False) | {
        "embed_dim": params["embed_dim"],
        "n_embed": params["n_embed"],
        "scale_factor": scale_factor,
    }
    return ImportedPart(
        "latelier/autoencoder_vq", config, as_convolutions(drop_training_tensors(tensors))
    )


def identity(target: Target, _tensors: Mapping[str, Tensor], scale_factor: float) -> ImportedPart:
    """Return the first stage of a model of pixels, which has no weights."""
    config = {"channels": target.params["channels"], "scale_factor": scale_factor}
    return ImportedPart("latelier/identity", config)


FirstStageReader = Callable[[Target, Mapping[str, Tensor], float], ImportedPart]

FIRST_STAGES: Mapping[str, FirstStageReader] = {
    "AutoencoderKL": autoencoder_kl,
    "VQModel": autoencoder_vq,
    "VQModelInterface": autoencoder_vq,
    "IdentityFirstStage": identity,
}
"""Class in the YAML -> its reader."""


def drop_training_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors that encode and decode images.

    The others are losses, averages, colour maps, and the numbering of the codes that
    autoregressive models are trained on.
    """
    others = ("loss.", "model_ema.", "colorize", "quantize.used")
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(others)}


def as_convolutions(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with attentions as 1x1 convolutions. Some files have linear layers."""
    ends = (".q.weight", ".k.weight", ".v.weight", ".proj_out.weight")
    return {
        name: tensor[:, :, None, None] if name.endswith(ends) and tensor.ndim == 2 else tensor
        for name, tensor in tensors.items()
    }


def _layers(target: Target, *, double_z: bool) -> dict[str, Any]:
    layers = Target("ddconfig", target.params.get("ddconfig") or {})
    found = layers.pick_params(_LAYERS, {**_LAYERS_FIXED, "double_z": (double_z,)}, ())
    if found.get("attn_type") == "vanilla-xformers":
        found["attn_type"] = "vanilla"
    return found
