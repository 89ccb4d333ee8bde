"""The tensors of a diffusion transformer under our names and those of diffusers. Pure functions."""

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
"""The published name of the class embedding table."""

_POSITIONS = "pos_embed.pos_embed"
_INSIDE = re.compile(r"transformer_blocks\.(\d+)\.(.+)")
_INSIDE_OURS = re.compile(r"blocks\.(\d+)\.(.+)")
_PROJECTIONS = tuple(f"attn1.to_{each}" for each in "qkv")


def dit_from_diffusers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict of a transformer under our names, with the table of its classes.

    In diffusers every block holds a copy of the embeddings of timestep and class. The positions,
    which are computed here, are left out. An unknown tensor keeps its name.

    Raises:
        ModelFileError: the blocks embed timestep or class differently.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        path, _, leaf = name.rpartition(".")
        match = _INSIDE.fullmatch(path)
        if name == _POSITIONS:
            continue
        if match is None:
            found[f"{_ENDS.get(path, path)}.{leaf}"] = tensor
            continue
        block, inner = f"blocks.{match[1]}", match[2]
        if inner in _IN_EVERY_BLOCK:
            first = found.setdefault(f"{_IN_EVERY_BLOCK[inner]}.{leaf}", tensor)
            _check_shared(name, first, tensor)
        elif inner == _PROJECTIONS[0]:
            found[f"{block}.attn.qkv.{leaf}"] = _join_qkv(tensors, name)
        elif inner in _BLOCK:
            found[f"{block}.{_BLOCK[inner]}.{leaf}"] = tensor
        elif inner not in _PROJECTIONS:
            found[name] = tensor
    return found


def dit_to_diffusers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a transformer under the names of diffusers.

    The embedding of the timestep, which diffusers repeats in every block, and what diffusers has no
    name for keep their names.
    """
    ends, inner = ({ours: theirs for theirs, ours in each.items()} for each in (_ENDS, _BLOCK))
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        path, _, leaf = name.rpartition(".")
        match = _INSIDE_OURS.fullmatch(path)
        if match is None:
            found[f"{ends.get(path, path)}.{leaf}"] = tensor
        elif match[2] == "attn.qkv":
            parts = zip(_PROJECTIONS, tensor.chunk(3), strict=True)
            found |= {f"transformer_blocks.{match[1]}.{each}.{leaf}": part for each, part in parts}
        elif match[2] in inner:
            found[f"transformer_blocks.{match[1]}.{inner[match[2]]}.{leaf}"] = tensor
        else:
            found[name] = tensor
    return found


def _check_shared(name: str, first: Tensor, tensor: Tensor) -> None:
    if first is not tensor and not torch.equal(first, tensor):
        raise ModelFileError(
            f"'{name}' differs from the first block: only transformers whose blocks share the "
            "embeddings of timestep and class can be imported, as the published ones do"
        )


def _join_qkv(tensors: Mapping[str, Tensor], name: str) -> Tensor:
    """Return the joint projection (3 C, C) or (3 C,) of the q, k and v next to `name`, a q."""
    names = [name.replace(_PROJECTIONS[0], each) for each in _PROJECTIONS]
    return torch.cat([tensors[each] for each in names if each in tensors])
