"""The layers of a model that can be changed, and their addresses.

The address of a layer is the place of its module, "denoiser" or "conditioners.NAME", and its path
there, such as "denoiser.input_blocks.1.1.transformer_blocks.0.attn2.to_k".
"""

from collections.abc import Mapping
from typing import Any

from torch import nn

from latelier.contracts.adapters import Model
from latelier.nn.low_rank import ChangeableLayer


def find_layers(model: Model) -> dict[str, ChangeableLayer]:
    """Return the layers of a model that can be changed, by address."""
    return {
        f"{place}.{path}": layer
        for place, module in model.items()
        if isinstance(module, nn.Module)
        for path, layer in module.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d)
    }


def select_layers(addresses: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the values at the addresses of one component, by the paths of its layers."""
    prefix = f"{place}."
    return {
        address.removeprefix(prefix): value
        for address, value in addresses.items()
        if address.startswith(prefix)
    }
