"""Finding the weights in the nested dictionaries of a checkpoint."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from latelier.contracts.errors import ModelFileError

_MAX_NAME = 512
_MAX_DEPTH = 4
_MAX_GROWTH = 4
"""How much more the tensors may hold than the file: some are stored once and named twice."""

_WRAPPERS = (
    "state_dict",
    "ema_state_dict",
    "model_ema",
    "ema_model",
    "ema",
    "params_ema",
    "model_state_dict",
    "model_state",
    "model",
    "module",
    "network",
    "net",
    "params",
    "weights",
    "generator",
)
"""Keys under which training programs save the weights. An average comes before the weights that it
is the average of, as in the published samplers."""


def state_dict_in(tree: Any, what: str, length: int) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name.

    They are those under a key such as 'state_dict' or 'model', else those at the top, else those
    of all dictionaries one level below, as 'DICTIONARY.NAME'.

    Args:
        tree: the content of the file.
        what: its name, for errors.
        length: bytes of the file.

    Raises:
        ModelFileError: there are no tensors, one is not a plain tensor, or they are larger than the
            file can hold.
    """
    tensors = _find(tree)
    if not tensors:
        raise ModelFileError(f"{what}: {_explain(tree)}")
    for name, tensor in tensors.items():
        if len(name) > _MAX_NAME or not name.isprintable():
            raise ModelFileError(f"{what}: a tensor has the name {name[:40]!r}")
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            raise ModelFileError(f"{what}: '{name}' is not a plain tensor")
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if size > _MAX_GROWTH * length:
        raise ModelFileError(f"{what}: its tensors are larger than the file can hold")
    return {name: tensor.detach() for name, tensor in tensors.items()}


def _find(tree: Any, depth: int = 0) -> dict[str, Tensor]:
    if not isinstance(tree, Mapping) or depth > _MAX_DEPTH:
        return {}
    for key in _WRAPPERS:
        if isinstance(tree.get(key), Mapping) and (found := _find(tree[key], depth + 1)):
            return found
    return _tensors(tree) or {
        f"{key}.{name}": tensor
        for key, inner in tree.items()
        if isinstance(key, str) and isinstance(inner, Mapping)
        for name, tensor in _tensors(inner).items()
    }


def _tensors(tree: Mapping[Any, Any]) -> dict[str, Tensor]:
    return {
        name: tensor
        for name, tensor in tree.items()
        if isinstance(name, str) and isinstance(tensor, Tensor)
    }


def _explain(tree: Any) -> str:
    """Return why a checkpoint holds no weights."""
    if not isinstance(tree, Mapping):
        return f"holds no tensors by name: expected a dictionary, got {type(tree).__name__}"
    if "param_groups" in tree:
        return "holds the state of an optimizer, and no weights"
    keys = ", ".join(str(key)[:40] for key in list(tree)[:10]) or "nothing"
    return f"holds no tensors by name; its keys are {keys}"
