"""Layers that are kept under the names of conditions."""

from collections.abc import Mapping

from torch import nn

from latelier.kernel.errors import InvalidConfigError


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
