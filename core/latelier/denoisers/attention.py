"""Self-attention, cross-attention and adapters of feature maps.

Shapes: B rows of a batch, Q positions (h * w) of width C, N tokens of a context of width D, H heads
of width d. The names of the modules are those of the published checkpoints.
"""

from functools import reduce
from typing import Any, cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import linear

from latelier.denoisers.forward_context import ContextLayer, ForwardContext
from latelier.nn.attention import attend, merge_heads, split_heads
from latelier.nn.layers import zero_init
from latelier.nn.packed import Conv1d, Linear, project


class MultiHeadAttention(ContextLayer):
    """The projections for attention from queries (B, Q, C) to a context (B, N, D)."""

    def __init__(self, width: int, context_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = Linear(width, width, bias=False)
        self.to_k = Linear(context_width, width, bias=False)
        self.to_v = Linear(context_width, width, bias=False)
        self.to_out = nn.Sequential(Linear(width, width))

    def attend_adapters(
        self, q: Tensor, size: tuple[int, int], ctx: ForwardContext
    ) -> list[Tensor]:
        """Return what each adapter of this layer adds before the output layer, (B, Q, C).

        Args:
            q: queries (B, H, Q, d), the positions of a feature map.
            size: (h, w) of the map.
            ctx: of the forward pass.
        """
        return [each.attend(self.name, q, size) for each in ctx.adapters if each.serves(self.name)]

    def project_without_bias(self, outputs: list[Tensor]) -> Tensor:
        """Return the sum of outputs (B, Q, C) through the output layer, which adds no bias."""
        added, layer = reduce(torch.add, outputs), cast("Any", self.to_out[0])
        return linear(added, layer.weight.to(added.dtype))


class SelfAttention(MultiHeadAttention):
    """Attention of the tokens of a feature map to each other."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, width, heads)

    def forward(self, tokens: Tensor, size: tuple[int, int], ctx: ForwardContext) -> Tensor:
        """Return (B, Q, C) of tokens (B, Q, C), the positions of a feature map of size (h, w)."""

        def attention(tokens: Tensor) -> Tensor:
            q = split_heads(self.to_q(tokens), self.heads)  # (B, H, Q, d)
            k = split_heads(self.to_k(tokens), self.heads)
            v = split_heads(self.to_v(tokens), self.heads)
            values = v if ctx.is_perturbed(self.name) else attend(q, k, v)
            return self.to_out(merge_heads(values))

        return ctx.attend(attention, tokens, size)


class CrossAttention(MultiHeadAttention):
    """Attention to the streams of a condition, and to the adapters that serve this layer.

    With W and b of the output layer and the gate g of the context, it adds

        g * (W attend(q, K, V) + b) + W * sum over adapters of attend(q, K_a, V_a).

    So a context that is absent, or whose streams have faded out (g = 0), adds exactly zero.
    """

    def forward(
        self, tokens: Tensor, queries: Tensor, size: tuple[int, int], ctx: ForwardContext
    ) -> Tensor:
        """Return tokens (B, Q, C) plus the cross-attention of their queries (B, Q, C)."""
        q = split_heads(self.to_q(queries), self.heads)  # (B, H, Q, d)
        outputs = self.attend_adapters(q, size, ctx)
        has_bias = False  # adapters alone have none
        if ctx.context is not None:
            context = ctx.context.for_layer(size)
            k = split_heads(self.to_k(context.tokens), self.heads)  # (B, H, N, d)
            v = split_heads(self.to_v(context.tokens), self.heads)
            attended = merge_heads(attend(q, k, v, context.bias))  # (B, Q, C)
            if context.gate is None:  # g = 1: one product with W for the context and the adapters
                outputs.append(attended)
                has_bias = True
            else:
                tokens = torch.addcmul(tokens, context.gate, self.to_out(attended))
        if has_bias:
            return tokens + self.to_out(reduce(torch.add, outputs))
        return tokens + self.project_without_bias(outputs) if outputs else tokens


class AttentionBlock(ContextLayer):
    """Residual self-attention over a feature map, in models without cross-attention."""

    def __init__(self, width: int, heads: int, groups: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(groups, width)
        self.qkv = Conv1d(width, 3 * width, 1)
        self.proj_out = zero_init(Conv1d(width, width, 1))

    def forward(self, x: Tensor, ctx: ForwardContext) -> Tensor:
        """Return (B, C, h, w)."""

        def attention(tokens: Tensor) -> Tensor:
            qkv = project(tokens, self.qkv)  # q, k and v of the first head, then of the next
            q, k, v = rearrange(qkv, "b n (h qkv d) -> qkv b h n d", qkv=3, h=self.heads)
            values = v if ctx.is_perturbed(self.name) else attend(q, k, v)
            return project(merge_heads(values), self.proj_out)

        size = (x.shape[2], x.shape[3])
        out = ctx.attend(attention, rearrange(self.norm(x), "b c h w -> b (h w) c"), size)
        return x + rearrange(out, "b (h w) c -> b c h w", h=size[0])
