"""The diffusion transformer from diffusers' names to ours. Pure functions of dictionaries."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from latelier.contracts.errors import ModelFileError

_ENDS = {
    "pos_embed.proj": "x_embedder.proj",
    "proj_out_1": "final_layer.adaLN_modulation.1",
    "proj_out_2": "final_layer.linear",
}
_BLOCK = {
    "norm1.linear": "adaLN_modulation.1",
    "attn1.to_out.0": "attn.proj",
    "ff.net.0.proj": "mlp.fc1",
    "ff.net.2": "mlp.fc2",
}
_IN_EVERY_BLOCK = {
    "norm1.emb.timestep_embedder.linear_1": "t_embedder.mlp.0",
    "norm1.emb.timestep_embedder.linear_2": "t_embedder.mlp.2",
    "norm1.emb.class_embedder.embedding_table": "y_embedder.embedding_table",
}
TABLE = "y_embedder.embedding_table.weight"
"""The published name of the table of classes."""

_POSITIONS = "pos_embed.pos_embed"
_INSIDE = re.compile(r"transformer_blocks\.(\d+)\.(.+)")
_PROJECTIONS = tuple(f"attn1.to_{each}" for each in "qkv")


def dit_from_diffusers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict of a transformer under our names, with the table of its classes.

    There each block holds the embeddings of timestep and class once more. The positions, which
    are computed here, are left out; what has no place keeps its name.

    Raises:
        ModelFileError: the blocks embed timestep or class differently.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        stem, _, leaf = name.rpartition(".")
        match = _INSIDE.fullmatch(stem)
        inside = match[2] if match else ""
        if name == _POSITIONS or inside in _PROJECTIONS[1:]:
            continue
        if inside in _IN_EVERY_BLOCK:
            ours = f"{_IN_EVERY_BLOCK[inside]}.{leaf}"
            first = found.setdefault(ours, tensor)
            if first is not tensor and not torch.equal(first, tensor):
                raise ModelFileError(
                    f"'{name}' is not as in the first block: only transformers whose blocks share "
                    "the embeddings of timestep and class, as the published ones, can be imported"
                )
        elif inside == _PROJECTIONS[0]:
            names = [name.replace(_PROJECTIONS[0], each) for each in _PROJECTIONS]
            parts = [tensors[each] for each in names if each in tensors]
            found[f"blocks.{match[1] if match else ''}.attn.qkv.{leaf}"] = torch.cat(parts)
        elif match and inside in _BLOCK:
            found[f"blocks.{match[1]}.{_BLOCK[inside]}.{leaf}"] = tensor
        else:
            found[f"{_ENDS.get(stem, stem)}.{leaf}"] = tensor
    return found
