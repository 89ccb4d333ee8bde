"""Scaled dot-product attention of several heads (Vaswani et al. 2017, arXiv:1706.03762).

Shapes: B rows of a batch, H heads of width d, Q queries, N keys.
"""

import math
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from latelier.nn.opaque import register_opaque

MASKED = -30000.0
"""Bias of a masked key. Its weight underflows to exactly 0; unlike minus infinity, this leaves no
NaN in a row whose keys are all masked. 16-bit formats can represent it."""

BLOCK = 2**21
"""Numbers of the attention weights that are computed at once: in 16 bits they stay in the cache."""

_TRAINING_KEYS = 1024
"""Most keys for which 16-bit training on a CPU keeps all attention weights for the gradient."""


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return softmax(q k^T / sqrt(d) + mask) v.

    In 16 bits on a CPU it is computed explicitly, in blocks. torch's fused kernel computes in
    float32 there, and takes longer (torch 2.13, 2 cores of Zen 5; queries x keys x width, heads):

        64 x 64 x 160, 16       2.0 times    1024 x 1024 x 40, 16    1.9
        256 x 256 x 80, 16      2.4          4096 x 4096 x 64, 20    2.4
        1024 x 77 x 40, 16      1.3          4096 x 4096 x 512, 1    2.7

    Its gradient takes 3 to 8 times as long for 16 to 256 keys, and twice as long for 1024. In
    float32 it is the faster one.

    Args:
        q: (B, H, Q, d).
        k: (B, H, N, d).
        v: (B, H, N, d).
        mask: broadcasts to (B, H, Q, N); either bool, True where a query may attend to a key, or
            floating point, added to the logits.

    Returns:
        (B, H, Q, d)
    """
    bias = None if mask is None else _to_bias(mask, q.dtype)
    if q.device.type == "cpu" and q.element_size() == 2:
        has_gradient = q.requires_grad or k.requires_grad or v.requires_grad
        if not has_gradient and torch.compiler.is_compiling():
            out: Tensor = _opaque_attend(q, k, v, bias)
            return out.transpose(1, 2)
        if not has_gradient:
            return _attend_in_blocks(q, k, v, bias)
        if k.shape[2] <= _TRAINING_KEYS:
            return attend_explicitly(q, k, v, bias)
    return scaled_dot_product_attention(q, k, v, bias)


def attend_explicitly(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return what `attend` returns, always by two matrix products and a softmax between them."""
    logits = (q * q.shape[-1] ** -0.5) @ k.mT  # (B, H, Q, N)
    if mask is not None:
        logits = logits + _to_bias(mask, q.dtype)
    return logits.softmax(dim=-1) @ v


def _attend_in_blocks(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """Return what `attend_explicitly` returns; at most `BLOCK` attention weights are in memory."""
    b, h, queries, d = q.shape
    keys = k.shape[2]
    if b * h * queries * keys <= BLOCK:
        return attend_explicitly(q, k, v, bias)
    heads = max(1, BLOCK // (queries * keys))
    rows = min(queries, max(1, BLOCK // keys))
    q = q * d**-0.5
    biases = None if bias is None else bias.expand(b, h, queries, keys)
    logits, weights = q.new_empty(2, heads * rows * keys)  # new memory costs as much as the softmax
    out = q.new_empty(b, queries, h, d).transpose(1, 2)  # so that `merge_heads` copies nothing
    for i, first, row in product(range(b), range(0, h, heads), range(0, queries, rows)):
        of_heads = i, slice(first, first + heads)
        block = *of_heads, slice(row, row + rows)
        shape = *q[block].shape[:2], keys
        part, weight = (each[: math.prod(shape)].view(shape) for each in (logits, weights))
        torch.matmul(q[block], k[of_heads].mT, out=part)
        if biases is not None:
            part += biases[block]
        torch.softmax(part, dim=-1, out=weight)
        out[block] = weight @ v[of_heads]
    return out


def _attend_rows_first(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """Return what `attend` returns, as contiguous (B, Q, H, d): an order for every size."""
    return _attend_in_blocks(q, k, v, bias).transpose(1, 2).contiguous()


_opaque_attend = register_opaque(
    "attend(Tensor q, Tensor k, Tensor v, Tensor? bias) -> Tensor",
    _attend_rows_first,
    lambda q, *_: q.new_empty(q.transpose(1, 2).shape),
)


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
