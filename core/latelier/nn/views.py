"""Views of modules: other layers or weights at some places, everything else shared."""

from collections.abc import Collection, Mapping
from copy import deepcopy
from itertools import chain
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


def copy_structure(module: M) -> M:
    """Return a copy of a module's layers that shares all parameters and buffers with it."""
    tensors = chain(module.parameters(), module.buffers())
    return deepcopy(module, {id(tensor): tensor for tensor in tensors})


def copy_to(
    module: M, device: torch.device, dtype: torch.dtype, shared: Collection[Tensor] = ()
) -> M:
    """Return a copy of a module on a device, with floating-point tensors in a precision.

    Each tensor is converted once. `deepcopy(module).to(...)` would hold it twice meanwhile.

    Args:
        module: stays as it is.
        device: of the copy.
        dtype: of the copy's floating-point tensors.
        shared: tensors of `module` that the copy shares with it.
    """
    memo: dict[int, Any] = {id(tensor): tensor for tensor in shared}
    with torch.no_grad():
        for tensor in chain(module.parameters(), module.buffers()):
            if id(tensor) not in memo:
                wanted = dtype if tensor.is_floating_point() else tensor.dtype
                copy = tensor.detach().to(device, wanted, copy=True)
                if isinstance(tensor, nn.Parameter):
                    copy = nn.Parameter(copy, requires_grad=tensor.requires_grad)
                memo[id(tensor)] = copy
    return deepcopy(module, memo)


def replace_layers(module: M, layers: Mapping[str, nn.Module]) -> M:
    """Return a view of a module with other layers at the paths that are the keys."""
    view = copy_structure(module)
    for path, layer in layers.items():
        parent, _, name = path.rpartition(".")
        setattr(view.get_submodule(parent), name, layer)
    return view


def replace_weights(module: M, weights: Mapping[str, Tensor]) -> M:
    """Return a view of a module with other parameters under the names that are the keys."""
    view = copy_structure(module)
    for path, weight in weights.items():
        parent, _, name = path.rpartition(".")
        setattr(view.get_submodule(parent), name, nn.Parameter(weight, requires_grad=False))
    return view
