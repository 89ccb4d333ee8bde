"""Weights of the linear layers of a denoiser in 8 bits, by torchao."""

from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from latelier.checkpoints.component import Component
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.messages import suggestion
from latelier.nn.views import copy_to

_TENSORS = {"int8": "Int8Tensor", "fp8": "Float8Tensor"}
"""Of torchao, by the name of the format."""


def check_quantization(quantize: str | None, offload: str | None) -> None:
    """Check that weights can be quantized to a format; None for those that are not.

    Raises:
        InvalidInputError: there is no such format, torchao is not installed, or the weights are
            offloaded.
    """
    if quantize is None:
        return
    if quantize not in _TENSORS:
        reason = f"'{quantize}' not found. {suggestion(quantize, _TENSORS)}"
    elif find_spec("torchao") is None:
        reason = "needs torchao: pip install 'latelier[quantize]'"
    elif offload is not None:
        reason = "quantized weights stay on the device: choose `quantize` or `offload`"
    else:
        return
    raise InvalidInputError.of_field("quantize", reason)


def quantize_denoiser(
    denoiser: Component, device: torch.device, dtype: torch.dtype, quantize: str
) -> Component:
    """Return a denoiser on a device whose linear layers have a scale for each row of 8-bit weights.

    It computes in `dtype`, and knows the weights that it was made from: `save` writes those.
    """
    from torchao.quantization import Float8WeightOnlyConfig, Int8WeightOnlyConfig, quantize_

    copy = copy_to(denoiser.stored, device, dtype)
    if quantize == "int8":
        config: Any = Int8WeightOnlyConfig(version=2, set_inductor_config=False)
    else:
        config = Float8WeightOnlyConfig(set_inductor_config=False)
    quantize_(copy, config)
    return denoiser.with_copy(copy, device, dtype)


def find_quantization(module: nn.Module) -> str | None:
    """Return the format of quantized weights; None where there are none."""
    found = {type(each.data).__name__ for each in module.parameters()}
    return next((name for name, tensor in _TENSORS.items() if tensor in found), None)
