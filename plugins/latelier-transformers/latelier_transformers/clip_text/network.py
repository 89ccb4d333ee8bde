"""CLIP's text transformer: built by the transformers library, run layer by layer."""

from typing import Any

import torch
from latelier.nn.packed import adopt_layers
from torch import Tensor

from latelier_transformers.clip_text.inputs import ClipTextConfig
from latelier_transformers.library import transformers


def build_network(config: ClipTextConfig) -> Any:
    """Return a `CLIPTextModel`. Weights that no output depends on take no gradients."""
    library = transformers()
    # The layers are called without a mask, and this attention then computes a causal one.
    fields = library.CLIPTextConfig(**config.network(), attn_implementation="sdpa")
    model = library.CLIPTextModel(fields)
    adopt_layers(model)
    # `run_layers` passes positions itself. No weight file holds this table; to keep it would mean
    # to initialise all weights before a file is mapped over them.
    del model.embeddings.position_ids
    if config.pooled == "none":
        model.encoder.layers[-1].requires_grad_(config.layer == "last")
        model.final_layer_norm.requires_grad_(config.final_norm)
    return model


def run_layers(model: Any, tokens: Tensor, *, with_last: bool) -> tuple[Tensor, Tensor | None]:
    """Return the outputs (B, N, D) of the layer before the last, and of the last if it runs.

    Args:
        model: a `CLIPTextModel`.
        tokens: ids (B, N).
        with_last: whether the last layer runs.
    """
    positions = torch.arange(tokens.shape[1], device=tokens.device)[None]
    states = model.embeddings(tokens, position_ids=positions)
    *layers, last_layer = model.encoder.layers
    for layer in layers:
        states = layer(states, None, is_causal=True)
    return states, last_layer(states, None, is_causal=True) if with_last else None


def take_end(states: Tensor, tokens: Tensor, end: int) -> Tensor:
    """Return the states (B, D) at the first end token of each row.

    Padding may be the end token too, and the ids of learnt words are larger than its own.
    """
    rows = torch.arange(len(tokens), device=tokens.device)
    return states[rows, (tokens == end).int().argmax(1)]
