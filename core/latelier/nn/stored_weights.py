"""Layers that may compute in another precision than the one in which their weight is stored.

A copy of a model in another precision shares these weights with the model, so they stay mapped from
its files. What is used of them is cast then: rows of a table as they are looked up, and the weights
of `latelier.nn.packed` as they are packed.
"""

from itertools import chain
from typing import TypeVar

import torch
from torch import Tensor, nn

from latelier.nn.views import copy_to

M = TypeVar("M", bound=nn.Module)


class StoredWeight:
    """A layer whose `weight` keeps the precision in which it is stored.

    Attributes:
        compute_dtype: the precision that the layer computes in; None: that of what it is given.
    """

    weight: Tensor
    compute_dtype: torch.dtype | None = None

    def to_compute_dtype(self, x: Tensor) -> Tensor:
        """Return x in the precision that the layer computes in."""
        return x if self.compute_dtype in (None, x.dtype) else x.to(self.compute_dtype)


class Embedding(StoredWeight, nn.Embedding):
    """`nn.Embedding` that casts the rows it looks up instead of its table."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (torch's name)
        """Return (..., embedding_dim) of ids (...)."""
        return self.to_compute_dtype(super().forward(input))


def copy_sharing_weights(module: M, dtype: torch.dtype) -> M:
    """Return a copy of a module that computes in a precision on the CPU.

    It shares the weights of its `StoredWeight` layers with the module.
    """
    layers = {
        name: each
        for name, each in module.named_modules()
        if isinstance(each, StoredWeight) and _is_shareable(each.weight)
    }
    shared = [each.weight for each in layers.values()]
    copy = copy_to(module, torch.device("cpu"), dtype, shared)
    for name in layers:
        layer = copy.get_submodule(name)
        assert isinstance(layer, StoredWeight)
        layer.compute_dtype = dtype
    return copy


def find_compute_dtype(module: nn.Module) -> torch.dtype:
    """Return the precision that a module computes in; float32 for one without weights."""
    for layer in module.modules():
        if isinstance(layer, StoredWeight) and layer.compute_dtype is not None:
            return layer.compute_dtype
    tensors = chain(module.parameters(), module.buffers())
    return next((each.dtype for each in tensors if each.is_floating_point()), torch.float32)


def _is_shareable(weight: Tensor) -> bool:
    return type(weight) is nn.Parameter and weight.device.type == "cpu"
