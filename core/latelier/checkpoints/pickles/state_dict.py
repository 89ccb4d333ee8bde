"""The weights in what a checkpoint holds."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from latelier.contracts.errors import ModelFileError

_LONGEST_NAME = 512
_GROWTH = 4
"""How much more a checkpoint's tensors may hold than its file: some are stored once, named twice"""


def state_dict_in(tree: Any, what: str, length: int) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint: its 'state_dict', or its own if it is one.

    Args:
        tree: what the file holds.
        what: its name, for errors.
        length: bytes of the file.

    Raises:
        ModelFileError: there are none, or they are not plain, or more than the file can hold.
    """
    if not isinstance(tree, Mapping):
        raise ModelFileError(f"{what}: holds no tensors by name")
    inner = tree.get("state_dict")
    values = inner if isinstance(inner, Mapping) else tree
    tensors = {
        name: tensor
        for name, tensor in values.items()
        if isinstance(name, str) and isinstance(tensor, Tensor)
    }
    if not tensors:
        raise ModelFileError(
            f"{what}: holds no tensors by name, neither in 'state_dict' nor beside"
        )
    for name, tensor in tensors.items():
        if len(name) > _LONGEST_NAME or not name.isprintable():
            raise ModelFileError(f"{what}: a tensor has the name {name[:40]!r}")
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            raise ModelFileError(f"{what}: '{name}' is no plain tensor")
    if (
        sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        > _GROWTH * length
    ):
        raise ModelFileError(f"{what}: its tensors are larger than the file can hold")
    return {name: tensor.detach() for name, tensor in tensors.items()}
