"""Base of the modules that are built from a configuration."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from torch import nn

from latelier.contracts.errors import InvalidConfigError

C_co = TypeVar("C_co", covariant=True)


class ConfiguredModule(nn.Module, Generic[C_co]):
    """A module that keeps the configuration it was built from."""

    def __init__(self, config: C_co) -> None:
        super().__init__()
        self._config = config

    @property
    def config(self) -> C_co:
        """The configuration that the module was built from."""
        return self._config


def to_module_dict(layers: Mapping[str, nn.Module]) -> nn.ModuleDict:
    """Return layers as a `ModuleDict`, their keys being the names of conditions.

    Raises:
        InvalidConfigError: `ModuleDict` reserves a name for itself, such as "keys".
    """
    container = nn.ModuleDict()
    for name, layer in layers.items():
        try:
            container[name] = layer
        except KeyError:
            raise InvalidConfigError(
                f"a condition cannot be named '{name}': torch reserves this name; choose another"
            ) from None
    return container
