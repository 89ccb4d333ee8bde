"""Scaled dot-product attention of several heads (Vaswani et al. 2017, arXiv:1706.03762).

Shapes: B rows of a batch, H heads of width d, Q queries, N keys.
"""

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

MASKED = -30000.0
"""Bias of a masked key. Its weight underflows to exactly 0; unlike minus infinity, this leaves no
NaN in a row whose keys are all masked. 16-bit formats can represent it."""

MAX_EXPLICIT_KEYS = 1024
"""With more keys than this the (Q, N) weights of explicit attention take too much memory."""


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return softmax(q k^T / sqrt(d) + mask) v.

    16-bit training on a CPU takes the explicit path: torch's fused kernel with its gradient is 3 to
    8 times slower there for 16 to 256 keys, and twice as slow for 1024 (torch 2.13). In fp32 the
    two are equally fast.

    Args:
        q: (B, H, Q, d).
        k: (B, H, N, d).
        v: (B, H, N, d).
        mask: broadcasts to (B, H, Q, N); either bool, True where a query may attend to a key, or
            floating point, added to the logits.

    Returns:
        (B, H, Q, d)
    """
    trains_in_16_bits = (q.requires_grad or k.requires_grad) and q.element_size() == 2
    if trains_in_16_bits and q.device.type == "cpu" and k.shape[2] <= MAX_EXPLICIT_KEYS:
        return attend_explicitly(q, k, v, mask)
    bias = None if mask is None else _to_bias(mask, q.dtype)
    return scaled_dot_product_attention(q, k, v, bias)


def attend_explicitly(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return what `attend` returns, always by two matrix products and a softmax between them."""
    logits = (q * q.shape[-1] ** -0.5) @ k.mT  # (B, H, Q, N)
    if mask is not None:
        logits = logits + _to_bias(mask, q.dtype)
    return logits.softmax(dim=-1) @ v


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """Return (B, N, H * d) as (B, H, N, d)."""
    b, n, width = tokens.shape
    return tokens.view(b, n, heads, width // heads).transpose(1, 2)


def merge_heads(values: Tensor) -> Tensor:
    """Return (B, H, N, d) as (B, N, H * d)."""
    return values.transpose(1, 2).flatten(2)


def _to_bias(mask: Tensor, dtype: torch.dtype) -> Tensor:
    if mask.dtype != torch.bool:
        return mask.to(dtype)
    return torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, MASKED)
