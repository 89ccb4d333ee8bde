"""The layers of a model that can be changed, and their addresses.

The address of a layer is the place of its module, "denoiser" or "conditioners.NAME", and its path
there, such as "denoiser.input_blocks.1.1.transformer_blocks.0.attn2.to_k". That of a parameter ends
with its name, ".weight" or ".bias".
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from latelier.contracts.adapters import Model
from latelier.nn.low_rank import ChangeableLayer


def find_layers(model: Model) -> dict[str, ChangeableLayer]:
    """Return the layers of a model that can have a low-rank change, by address."""
    return {
        f"{place}.{path}": layer
        for place, module in _modules(model)
        for path, layer in module.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d)
    }


def find_weighted_layers(model: Model) -> dict[str, nn.Module]:
    """Return all layers of a model that have a weight, norms and tables too, by address."""
    return {
        f"{place}.{path}": layer
        for place, module in _modules(model)
        for path, layer in module.named_modules()
        if isinstance(layer._parameters.get("weight"), Tensor)
    }


def find_parameters(model: Model) -> dict[str, Tensor]:
    """Return the parameters of a model, by address."""
    return {
        f"{place}.{name}": parameter
        for place, module in _modules(model)
        for name, parameter in module.named_parameters(remove_duplicate=False)
    }


def _modules(model: Model) -> list[tuple[str, nn.Module]]:
    return [(place, each) for place, each in model.items() if isinstance(each, nn.Module)]


def select_layers(addresses: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the values at the addresses of one component, by the paths of its layers."""
    prefix = f"{place}."
    return {
        address.removeprefix(prefix): value
        for address, value in addresses.items()
        if address.startswith(prefix)
    }
