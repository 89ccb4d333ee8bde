"""Counts floating-point operations, also those of CPU kernels that torch's counter leaves out."""

from math import prod
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count


def count_flops() -> FlopCounterMode:
    """Return a counter of the operations inside of a `with` block: `get_total_flops()`.

    It counts matrix products, convolutions and attention, a multiplication and an addition as two.
    """
    return FlopCounterMode(display=False, custom_mapping=_FORMULAS)


def _count_linear(tokens: torch.Size, *_: Any, out_shape: torch.Size, **__: Any) -> int:
    """Count a map of tokens (..., C) -> (..., D)."""
    return 2 * prod(out_shape) * tokens[-1]


def _count_convolution(
    _x: torch.Size, weight: torch.Size, *_: Any, out_shape: torch.Size, **__: Any
) -> int:
    """Count a convolution by a weight (C', C / groups, height, width)."""
    return 2 * prod(out_shape) * prod(weight[1:])


def _count_attention(q: torch.Size, k: torch.Size, v: torch.Size, *_: Any, **__: Any) -> int:
    """Count the attention of (B, heads, N, D)."""
    return int(sdpa_flop_count(q, k, v))  # type: ignore[no-untyped-call]


def _count_attention_backward(
    gradient: torch.Size, q: torch.Size, k: torch.Size, v: torch.Size, *_: Any, **__: Any
) -> int:
    """Count the backward pass of the attention of (B, heads, N, D)."""
    return int(sdpa_backward_flop_count(gradient, q, k, v))  # type: ignore[no-untyped-call]


def _list_formulas() -> dict[Any, Any]:
    attention = "_scaled_dot_product_flash_attention_for_cpu"
    known = [
        (torch.ops.mkldnn, "_linear_pointwise", _count_linear),
        (torch.ops.mkldnn, "_convolution_pointwise", _count_convolution),
        (torch.ops.aten, attention, _count_attention),
        (torch.ops.aten, f"{attention}_backward", _count_attention_backward),
    ]
    # torch without oneDNN lacks some
    return {getattr(ops, name): formula for ops, name, formula in known if hasattr(ops, name)}


_FORMULAS = _list_formulas()
