"""The vectors of a condition are added to the timestep embedding."""

from collections.abc import Mapping

from torch import Tensor, nn

from latelier.denoisers.configs import ConditionedConfig
from latelier.nn.module import to_module_dict
from latelier.nn.packed import Linear


def build_vector_layers(config: ConditionedConfig) -> nn.ModuleDict:
    """Return a linear layer for each vector that is not native.

    It has no bias, so that a vector of zeros equals an absent one.
    """
    return to_module_dict(
        {
            name: Linear(width, config.embedding_width, bias=False)
            for name, width in config.vectors.items()
            if name not in config.native_vectors
        }
    )


def add_vectors(
    emb: Tensor, vectors: Mapping[str, Tensor], config: ConditionedConfig, layers: nn.ModuleDict
) -> Tensor:
    """Return the timestep embedding (B, E) plus the vectors (B, V) that are present.

    layers: of `build_vector_layers`.
    """
    for name in config.vectors:
        vector = vectors.get(name)
        if vector is not None:
            emb = emb + (layers[name](vector) if name in layers else vector)
    return emb
