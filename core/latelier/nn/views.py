"""Views of modules: other layers or weights at some places, everything else shared."""

from collections.abc import Mapping
from copy import deepcopy
from itertools import chain
from typing import TypeVar

from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


def copy_structure(module: M) -> M:
    """Return a copy of a module's layers that shares all parameters and buffers with it."""
    tensors = chain(module.parameters(), module.buffers())
    return deepcopy(module, {id(tensor): tensor for tensor in tensors})


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
