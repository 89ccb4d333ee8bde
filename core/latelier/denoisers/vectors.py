"""How the vectors of a condition enter a denoiser: added to the embedding of the timestep."""

from torch import Tensor, nn

from latelier.denoisers.conditioned_config import ConditionedConfig
from latelier.denoisers.named_layers import named_layers
from latelier.kernel.condition import Condition


def vector_layers(config: ConditionedConfig) -> nn.ModuleDict:
    """Return a linear layer for each vector that is not native.

    It has no bias, so that a vector of zeros is the same as none.
    """
    width = config.embedding_width
    return named_layers(
        {
            name: nn.Linear(given, width, bias=False)
            for name, given in config.vectors.items()
            if name not in config.native_vectors
        }
    )


def with_vectors(
    emb: Tensor, condition: Condition, config: ConditionedConfig, layers: nn.ModuleDict
) -> Tensor:
    """Return the timestep embedding (B, E) with the vectors that are given added.

    layers: those of `vector_layers`.
    """
    for name in config.vectors:
        vector = condition.vectors.get(name)
        if vector is not None:
            emb = emb + (layers[name](vector) if name in layers else vector)
    return emb
