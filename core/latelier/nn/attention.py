"""Scaled dot-product attention of several heads (Vaswani et al. 2017, arXiv:1706.03762).

Shapes: B rows of a batch, H heads of width d, Q queries, N keys.
"""

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

MASKED = -30000.0
"""Bias of a masked key. Its weight underflows to exactly 0; unlike minus infinity, this leaves no
NaN in a row whose keys are all masked. 16-bit formats can represent it."""

_EXPLICIT_KEYS = 12
"""Explicit 16-bit attention on a CPU is the faster one up to this many keys for each channel of a
head. Time of torch's fused kernel over that of explicit attention (torch 2.13, 2 cores of Zen 5):

    keys x width   64 x 32  64 x 160  256 x 80  256 x 160  1024 x 512  1024 x 80  1024 x 40
    fused          1.2      1.9       2.5       2.5        3.4         1.0        0.9
"""

_EXPLICIT_TRAINING_KEYS = 1024
"""The same with gradients: that of the fused kernel takes 3 to 8 times as long for 16 to 256 keys,
and twice as long for 1024."""

_MAX_WEIGHTS = 2**24
"""Most numbers of the (Q, N) weights of a head that are in memory."""


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return softmax(q k^T / sqrt(d) + mask) v.

    Short sequences in 16 bits on a CPU take the explicit path, which is faster there; all others
    take torch's fused kernel.

    Args:
        q: (B, H, Q, d).
        k: (B, H, N, d).
        v: (B, H, N, d).
        mask: broadcasts to (B, H, Q, N); either bool, True where a query may attend to a key, or
            floating point, added to the logits.

    Returns:
        (B, H, Q, d)
    """
    if q.device.type == "cpu" and q.element_size() == 2 and _is_short(q, k):
        return attend_explicitly(q, k, v, mask)
    bias = None if mask is None else _to_bias(mask, q.dtype)
    return scaled_dot_product_attention(q, k, v, bias)


def _is_short(q: Tensor, k: Tensor) -> bool:
    keys, width = k.shape[2:]
    if q.requires_grad or k.requires_grad:
        return keys <= _EXPLICIT_TRAINING_KEYS
    return keys <= _EXPLICIT_KEYS * width and q.shape[2] * keys <= _MAX_WEIGHTS


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
