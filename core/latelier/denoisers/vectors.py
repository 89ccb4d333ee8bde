"""The vectors of a condition are added to the timestep embedding."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from latelier.denoisers.configs import ConditionedConfig
from latelier.nn.module import to_module_dict
from latelier.nn.packed import Linear


def build_vector_layers(config: ConditionedConfig) -> nn.ModuleDict:
    """Return a linear layer for each vector that is neither native nor joint.

    It has no bias, so that a vector of zeros equals an absent one.
    """
    return to_module_dict(
        {
            name: Linear(width, config.embedding_width, bias=False)
            for name, width in config.vectors.items()
            if name not in (*config.native_vectors, *config.joint_vectors)
        }
    )


def build_joint_layers(config: ConditionedConfig) -> nn.Module | None:
    """Return the two layers for the joint vectors under SDXL's names; None without joint vectors.

    (Podell et al. 2023, arXiv:2307.01952, section 2.2.)
    """
    if not config.joint_vectors:
        return None
    width = config.embedding_width
    layers = nn.Sequential(Linear(config.joint_width, width), nn.SiLU(), Linear(width, width))
    return nn.Sequential(layers)


def add_vectors(
    emb: Tensor, vectors: Mapping[str, Tensor], config: ConditionedConfig, layers: nn.ModuleDict
) -> Tensor:
    """Return the timestep embedding (B, E) plus the vectors (B, V) present that are not joint.

    layers: of `build_vector_layers`.
    """
    for name in config.vectors:
        vector = vectors.get(name)
        if vector is not None and name not in config.joint_vectors:
            emb = emb + (layers[name](vector) if name in layers else vector)
    return emb


def add_joint_vectors(
    emb: Tensor, vectors: Mapping[str, Tensor], config: ConditionedConfig, layers: nn.Module
) -> Tensor:
    """Return the timestep embedding (B, E) plus what the joint vectors (B, V) give together.

    Absent vectors are zeros, so that rows with and without them can share a batch.

    layers: of `build_joint_layers`.
    """
    joint = [
        vectors[name] if name in vectors else emb.new_zeros(len(emb), config.vectors[name])
        for name in config.joint_vectors
    ]
    return emb + layers(torch.cat(joint, dim=1))
