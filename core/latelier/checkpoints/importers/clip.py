"""CLIP's text encoder as the plugin latelier-transformers has it.

Nothing of the plugin is imported: it comes through the door, and where it is not installed the
error names the pip line.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from latelier.contracts.importing import ImportedPart

CLIP_TEXT = "latelier-transformers/clip_text"
TOKENIZER_FILES = ("vocab.json", "merges.txt")

_LAYERS = "text_model.encoder.layers."
_HEAD = 64
"""Channels a head in every CLIP text encoder that Stable Diffusion uses."""


def clip_text_part(
    tensors: Mapping[str, Tensor],
    beside: Callable[[str], bytes | None],
    fields: Mapping[str, Any],
) -> ImportedPart:
    """Return the conditioner of a CLIP text encoder.

    Args:
        tensors: under transformers' names, "text_model." and on.
        beside: returns a file of the tokenizer, or None.
        fields: of its configuration, beside what the shapes say.
    """
    config = {**_sizes(tensors), **fields}
    files = {name: beside(name) for name in TOKENIZER_FILES}
    assets = {name: data for name, data in files.items() if data is not None}
    return ImportedPart(CLIP_TEXT, config, tensors, assets)


def _sizes(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return what the shapes say."""
    embeddings = "text_model.embeddings."
    count = {name.removeprefix(_LAYERS).partition(".")[0] for name in tensors if _LAYERS in name}
    vocabulary = tensors.get(f"{embeddings}token_embedding.weight")
    positions = tensors.get(f"{embeddings}position_embedding.weight")
    inner = tensors.get(f"{_LAYERS}0.mlp.fc1.weight")
    found: dict[str, Any] = {"num_hidden_layers": len(count)}
    if vocabulary is not None:
        found |= {"vocab_size": vocabulary.shape[0], "hidden_size": vocabulary.shape[1]}
        found["num_attention_heads"] = vocabulary.shape[1] // _HEAD
    if positions is not None:
        found["max_position_embeddings"] = positions.shape[0]
    if inner is not None:
        found["intermediate_size"] = inner.shape[0]
    return found
