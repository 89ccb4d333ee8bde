"""A device that is not the CPU, on a machine that may have none; and precisions."""

from typing import Any

import torch
from torch import nn

META = torch.device("meta")
"""A device without numbers: what is made elsewhere by mistake shows beside it."""


def weights_dtype(module: Any) -> torch.dtype | None:
    """Return the floating-point dtype of a module's weights or buffers; None where it has none."""
    if not isinstance(module, nn.Module):
        return None
    tensors = (*module.parameters(), *module.buffers())
    return next((each.dtype for each in tensors if each.is_floating_point()), None)
