"""The configurations of single files of Stable Diffusion, chosen by their shapes.

Their numbers are those of the published YAML files (v1-inference, v2-inference and others).
"""

import re
from collections.abc import Mapping
from typing import Any

from latelier.checkpoints.importers.parameters import require_bool
from latelier.checkpoints.io.shapes import Shapes
from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.contracts.messages import suggestion

CONTEXT = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
INPUT = "model.diffusion_model.input_blocks.0.0.weight"
FIRST_STAGE = "first_stage_model.decoder.conv_in.weight"

VERSIONS = {768: 1, 1024: 2}
"""Width of the text that the UNet attends to -> version."""

_CHANNELS = {4: "text to image", 9: "inpainting"}
_V = re.compile(r"768|[-_]v[-_.]|vpred|v[-_]pred", re.IGNORECASE)
_EPS = re.compile(r"base|512", re.IGNORECASE)


def is_stable_diffusion(shapes: Shapes) -> bool:
    """Return whether the names and shapes are those of version 1 or 2."""
    if not shapes.keys() >= {CONTEXT, INPUT, FIRST_STAGE}:
        return False
    return shapes[CONTEXT][0] == shapes[INPUT][0] and shapes[CONTEXT][1] in VERSIONS


def published_config(
    shapes: Shapes, name: str, options: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the published YAML for a file, and notes on what was decided.

    Args:
        shapes: of the file.
        name: of the file. It hints at what version 2 predicts, which the weights do not show.
        options: prediction, "eps" or "v"; use_ema, whether averaged weights are used.

    Raises:
        ModelFileError: the file is another variant of Stable Diffusion.
        InvalidConfigError: an option is invalid.
    """
    version, channels = VERSIONS[shapes[CONTEXT][1]], shapes[INPUT][1]
    if channels not in _CHANNELS:
        raise ModelFileError(
            f"{name}: its UNet takes {channels} channels; supported variants of Stable Diffusion "
            f"{version} take {' or '.join(map(str, _CHANNELS))}"
        )
    prediction, why = _prediction(version, channels, name, options)
    notes = (
        f"Stable Diffusion {version}, {_CHANNELS[channels]}, by its shapes",
        f"it predicts {prediction}: {why}",
    )
    high = version == 2 and prediction == "v"
    params = {
        "linear_start": 0.00085,
        "linear_end": 0.012,
        "timesteps": 1000,
        "image_size": 96 if high else 64,
        "conditioning_key": "hybrid" if channels == 9 else "crossattn",
        "scale_factor": 0.18215,
        "use_ema": require_bool("use_ema", options.get("use_ema", False)),
        "parameterization": prediction,
        "unet_config": {"target": "UNetModel", "params": _unet(version, shapes)},
        "first_stage_config": {"target": "AutoencoderKL", "params": KL_F8},
        "cond_stage_config": _TEXT[version],
    }
    return {"model": {"target": "LatentDiffusion", "params": params}}, notes


KL_F8: Mapping[str, Any] = {
    "embed_dim": 4,
    "ddconfig": {
        "double_z": True,
        "z_channels": 4,
        "resolution": 256,
        "in_channels": 3,
        "out_ch": 3,
        "ch": 128,
        "ch_mult": (1, 2, 4, 4),
        "num_res_blocks": 2,
        "attn_resolutions": (),
    },
}
_TEXT: Mapping[int, Mapping[str, Any]] = {
    1: {"target": "FrozenCLIPEmbedder"},
    2: {"target": "FrozenOpenCLIPEmbedder", "params": {"layer": "penultimate"}},
}


def _unet(version: int, shapes: Shapes) -> dict[str, Any]:
    heads = {"num_heads": 8} if version == 1 else {"num_head_channels": 64}
    return {
        "in_channels": shapes[INPUT][1],
        "out_channels": 4,
        "model_channels": shapes[INPUT][0],
        "attention_resolutions": (4, 2, 1),
        "num_res_blocks": 2,
        "channel_mult": (1, 2, 4, 4),
        "use_spatial_transformer": True,
        "use_linear_in_transformer": version == 2,
        "transformer_depth": 1,
        "context_dim": shapes[CONTEXT][1],
        **heads,
    }


def _prediction(
    version: int, channels: int, name: str, options: Mapping[str, Any]
) -> tuple[str, str]:
    """Return what the model predicts, and the reason to believe it."""
    if "prediction" in options:
        return check_prediction(options["prediction"]), "by the option 'prediction'"
    if version == 1:
        return "eps", "as all models of version 1 do"
    if channels == 9:
        return "eps", "as the inpainting model of version 2 does"
    if _V.search(name):
        return "v", f"as models of 768 pixels do, which '{name}' points to"
    if _EPS.search(name):
        return "eps", f"as models of 512 pixels do, which '{name}' points to"
    return "v", (
        "as most of version 2 do; the weights do not show it: if pictures are grey or noise, "
        "import again with --option prediction=eps"
    )


def check_prediction(option: Any) -> str:
    """Return the option 'prediction'.

    Raises:
        InvalidConfigError: it is neither "eps" nor "v".
    """
    known = ("eps", "v")
    if option not in known:
        raise InvalidConfigError(f"unknown prediction '{option}'. {suggestion(str(option), known)}")
    return str(option)
