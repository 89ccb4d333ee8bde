"""CLIP's text encoder as a component of the plugin latelier-transformers.

The plugin is not imported here. If it is not installed, building the part names the pip command.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from latelier.contracts.importing import ImportedPart

CLIP_TEXT = "latelier-transformers/clip_text"
CLIP_PAIR_TEXT = "latelier-transformers/clip_pair_text"
TOKENIZER_FILES = ("vocab.json", "merges.txt")

SDXL_OUTPUTS: Mapping[str, Any] = {"layer": "penultimate", "final_norm": False}
"""What Stable Diffusion XL takes of each of its text encoders as tokens."""

SDXL_POOLED: Mapping[str, Any] = {**SDXL_OUTPUTS, "pooled": "projected"}
"""What it takes of its only or second one."""

PROMPT_SYNTAX = "prompt_syntax"
"""Name of an option: how prompts are read, "plain", "a1111" or "comfyui"."""

_LAYERS = "text_model.encoder.layers."
_HEAD_CHANNELS = 64
"""Channels per head in every CLIP text encoder of Stable Diffusion."""


def clip_text_part(
    tensors: Mapping[str, Tensor],
    read_file: Callable[[str], bytes | None],
    fields: Mapping[str, Any],
) -> ImportedPart:
    """Return the conditioner of a CLIP text encoder.

    It reads prompts in A1111's syntax, for which most of those that people share are written.

    Args:
        tensors: under the names of transformers, which begin with "text_model.".
        read_file: returns a file of the tokenizer, or None.
        fields: of its configuration, in addition to those that the shapes determine.
    """
    config = {**_config_from_shapes(tensors), PROMPT_SYNTAX: "a1111", **fields}
    files = {name: read_file(name) for name in TOKENIZER_FILES}
    assets = {name: data for name, data in files.items() if data is not None}
    return ImportedPart(CLIP_TEXT, config, tensors, assets)


def clip_pair_part(clip_l: ImportedPart, clip_g: ImportedPart) -> ImportedPart:
    """Return the conditioner of two CLIP text encoders, from the parts of both.

    Its tokenizer is that of the first.
    """
    pair = {"clip_l": clip_l, "clip_g": clip_g}
    tensors = {
        f"{name}.{key}": tensor
        for name, part in pair.items()
        for key, tensor in part.tensors.items()
    }
    config = {name: part.config for name, part in pair.items()}
    return ImportedPart(CLIP_PAIR_TEXT, config, tensors, clip_l.assets)


def prompt_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a CLIP text encoder that a person has set by options of an import."""
    return {PROMPT_SYNTAX: options[PROMPT_SYNTAX]} if PROMPT_SYNTAX in options else {}


def _config_from_shapes(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    embeddings = "text_model.embeddings."
    count = {name.removeprefix(_LAYERS).partition(".")[0] for name in tensors if _LAYERS in name}
    vocabulary = tensors.get(f"{embeddings}token_embedding.weight")
    positions = tensors.get(f"{embeddings}position_embedding.weight")
    inner = tensors.get(f"{_LAYERS}0.mlp.fc1.weight")
    config: dict[str, Any] = {"num_hidden_layers": len(count)}
    if vocabulary is not None:
        config |= {"vocab_size": vocabulary.shape[0], "hidden_size": vocabulary.shape[1]}
        config["num_attention_heads"] = vocabulary.shape[1] // _HEAD_CHANNELS
    if positions is not None:
        config["max_position_embeddings"] = positions.shape[0]
    if inner is not None:
        config["intermediate_size"] = inner.shape[0]
    return config
