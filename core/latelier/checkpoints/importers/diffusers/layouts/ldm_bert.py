"""The paper's text encoder from the names of diffusers to those of checkpoints. Pure."""

import re
from collections.abc import Mapping

from torch import Tensor

_ENDS = {
    "model.embed_tokens": "transformer.token_emb",
    "model.embed_positions": "transformer.pos_emb.emb",
    "model.layer_norm": "transformer.norm",
}
_ATTENTION = {
    "self_attn_layer_norm": "0",
    "self_attn.q_proj": "1.to_q",
    "self_attn.k_proj": "1.to_k",
    "self_attn.v_proj": "1.to_v",
    "self_attn.out_proj": "1.to_out",
}
_FEED_FORWARD = {"final_layer_norm": "0", "fc1": "1.net.0.0", "fc2": "1.net.2"}
_LAYER = re.compile(r"model\.layers\.(\d+)\.(.+)")


def ldm_bert_from_diffusers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict under the names of checkpoints, without the unused `to_logits`.

    A layer of diffusers is two of the checkpoints: an attention and a feed-forward.
    """
    found = {}
    for name, tensor in tensors.items():
        path, _, leaf = name.rpartition(".")
        if path == "to_logits":
            continue
        match = _LAYER.fullmatch(path)
        if match is None:
            found[f"{_ENDS.get(path, path)}.{leaf}"] = tensor
            continue
        index, inner = 2 * int(match[1]), match[2]
        if inner in _FEED_FORWARD:
            index, inner = index + 1, _FEED_FORWARD[inner]
        else:
            inner = _ATTENTION.get(inner, inner)
        found[f"transformer.attn_layers.layers.{index}.{inner}.{leaf}"] = tensor
    return found
