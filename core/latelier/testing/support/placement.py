"""A device other than the CPU, for machines that have none; and the precision of weights."""

from typing import Any

import torch
from torch import nn

META = torch.device("meta")
"""A device without numbers: tensors that are created elsewhere by mistake cannot mix with its."""


def weights_dtype(module: Any) -> torch.dtype | None:
    """Return the floating-point dtype of a module's weights or buffers; None where it has none."""
    if not isinstance(module, nn.Module):
        return None
    tensors = (*module.parameters(), *module.buffers())
    return next((tensor.dtype for tensor in tensors if tensor.is_floating_point()), None)
