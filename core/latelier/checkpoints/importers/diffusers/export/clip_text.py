"""Writing CLIP's text encoder as diffusers loads it: an encoder and a tokenizer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latelier.checkpoints.component import Component, assets_of
from latelier.checkpoints.importers.diffusers.folder import write_component
from latelier.contracts.errors import CompatibilityError
from latelier.io.atomic import write_bytes, write_json

_SAME = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "max_position_embeddings",
    "hidden_act",
    "layer_norm_eps",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
)
_OUTPUTS = {"final_norm": True, "pooled": "none", "null": "empty"}
"""What pipelines of diffusers with one CLIP take of it."""

_LAYERS = "text_model.encoder.layers."


def export_clip_text(component: Component, folder: Path) -> dict[str, str]:
    """Write `text_encoder` and `tokenizer` to the folder of a pipeline; return their classes.

    An encoder whose output is its penultimate layer loses the last one.

    Raises:
        CompatibilityError: the encoder has no tokenizer, or outputs that diffusers takes none of.
    """
    config: Any = component.config
    _check_outputs(config)
    assets = assets_of(component.module)
    if not assets:
        raise CompatibilityError("the text encoder has no tokenizer, and diffusers needs one")
    depth = config.num_hidden_layers - (config.layer == "penultimate")
    beyond = f"{_LAYERS}{depth}."
    tensors = {
        name: tensor
        for name, tensor in component.stored.state_dict().items()
        if not name.startswith(beyond)
    }
    fields = {
        "model_type": "clip_text_model",
        "architectures": ["CLIPTextModel"],
        "num_hidden_layers": depth,
        **{name: getattr(config, name) for name in _SAME},
    }
    write_component(folder / "text_encoder", fields, tensors, "model")
    _write_tokenizer(folder / "tokenizer", config, assets)
    return {"text_encoder": "CLIPTextModel", "tokenizer": "CLIPTokenizer"}


def _check_outputs(config: Any) -> None:
    for name, value in _OUTPUTS.items():
        if getattr(config, name) != value:
            raise CompatibilityError(
                f"the text encoder has {name}={getattr(config, name)}; expected {value}, as the "
                "pipelines of diffusers with one text encoder"
            )


def _write_tokenizer(folder: Path, config: Any, assets: Mapping[str, bytes]) -> None:
    for name, data in assets.items():
        write_bytes(folder / name, data)
    padding = "!" if config.pad_token_id == 0 else "<|endoftext|>"
    special = {
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": padding,
    }
    write_json(folder / "special_tokens_map.json", special)
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": config.max_position_embeddings,
        **special,
    }
    write_json(folder / "tokenizer_config.json", settings)
