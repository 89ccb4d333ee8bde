"""How the vectors of a condition enter a denoiser: added to the embedding of the timestep."""

from collections.abc import Mapping

from torch import Tensor, nn

from latelier.contracts.condition import Condition
from latelier.contracts.errors import InvalidConfigError
from latelier.denoisers.configs import ConditionedConfig


def named_layers(layers: Mapping[str, nn.Module]) -> nn.ModuleDict:
    """Return a container of the layers.

    Raises:
        InvalidConfigError: a name that torch's containers need for themselves, such as "keys".
    """
    container = nn.ModuleDict()
    for name, layer in layers.items():
        try:
            container[name] = layer
        except KeyError:
            raise InvalidConfigError(
                f"a condition cannot be named '{name}': torch uses this name; choose another"
            ) from None
    return container


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
