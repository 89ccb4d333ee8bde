"""Self-attention, cross-attention and adapters of feature maps.

Shapes: B rows of a batch, N positions (h * w) or N tokens of a context, C and D widths, H heads of
width d. The names of the modules are those of the published checkpoints.
"""

from functools import reduce

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import linear

from latelier.denoisers.forward_context import ContextLayer, ForwardContext
from latelier.nn.attention import attend, merge_heads, split_heads
from latelier.nn.layers import zero_init


class MultiHeadAttention(nn.Module):
    """The projections for attention from queries (B, Q, C) to a context (B, N, D)."""

    def __init__(self, width: int, context_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context_width, width, bias=False)
        self.to_v = nn.Linear(context_width, width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(width, width))

    def attend(self, q: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return (B, Q, C), before the output layer, for queries (B, H, Q, d)."""
        k = split_heads(self.to_k(context), self.heads)
        v = split_heads(self.to_v(context), self.heads)
        return merge_heads(attend(q, k, v, mask))


class SelfAttention(MultiHeadAttention):
    """Attention of tokens (B, N, C) to each other."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, width, heads)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, N, C)."""
        q = split_heads(self.to_q(tokens), self.heads)
        return self.to_out(self.attend(q, tokens))

    def forward_identity(self, tokens: Tensor) -> Tensor:
        """Return (B, N, C) with the identity as attention map: each token attends to itself.

        (Perturbed-attention guidance, Ahn et al. 2024, arXiv:2403.17377.)
        """
        return self.to_out(self.to_v(tokens))


class CrossAttention(MultiHeadAttention):
    """Attention to the streams of a condition, and to the adapters that serve this layer."""

    def __init__(self, width: int, context_width: int, heads: int, name: str) -> None:
        super().__init__(width, context_width, heads)
        self.name = name

    def forward(
        self, tokens: Tensor, queries: Tensor, size: tuple[int, int], ctx: ForwardContext
    ) -> Tensor:
        """Return tokens (B, h * w, C) plus the cross-attention of their queries (B, h * w, C).

        Where no stream is active the context adds exactly zero: the gate scales the whole output,
        its bias included, and the output of adapters is then projected without the bias.
        """
        q = split_heads(self.to_q(queries), self.heads)
        adapted = self._attend_to_adapters(q, size, ctx)
        if ctx.context is None:
            return self._add_without_bias(tokens, adapted)
        context = ctx.context.for_layer(size)
        attended = self.attend(q, context.tokens, context.bias)
        if context.gate is None:
            return tokens + self.to_out(attended if adapted is None else attended + adapted)
        tokens = torch.addcmul(tokens, context.gate, self.to_out(attended))
        return self._add_without_bias(tokens, adapted)

    def _attend_to_adapters(
        self, q: Tensor, size: tuple[int, int], ctx: ForwardContext
    ) -> Tensor | None:
        """Return the sum over adapters, (B, h * w, C); None where no adapter serves this layer."""
        serving = [adapter for adapter in ctx.adapters if adapter.serves(self.name)]
        outputs = [adapter.attend(self.name, q, size) for adapter in serving]
        return reduce(torch.add, outputs) if outputs else None

    def _add_without_bias(self, tokens: Tensor, adapted: Tensor | None) -> Tensor:
        """Return tokens plus the output of adapters, through the output layer without its bias."""
        if adapted is None:
            return tokens
        return tokens + linear(adapted, self.to_out.get_parameter("0.weight"))


class AttentionBlock(ContextLayer):
    """Residual self-attention over a feature map, in models without cross-attention."""

    def __init__(self, width: int, heads: int, groups: int, name: str) -> None:
        super().__init__()
        self.heads = heads
        self.self_attention_names = frozenset({name})
        self.norm = nn.GroupNorm(groups, width)
        self.qkv = nn.Conv1d(width, 3 * width, 1)
        self.proj_out = zero_init(nn.Conv1d(width, width, 1))

    def forward(self, x: Tensor, ctx: ForwardContext) -> Tensor:
        """Return (B, C, h, w)."""
        tokens = rearrange(self.norm(x), "b c h w -> b (h w) c")
        # published order of the channels: q, k and v of the first head, then of the next
        qkv = linear(tokens, self.qkv.weight[:, :, 0], self.qkv.bias)
        q, k, v = rearrange(qkv, "b n (h qkv d) -> qkv b h n d", qkv=3, h=self.heads)
        values = v if ctx.is_perturbed(self.self_attention_names) else attend(q, k, v)
        out = linear(merge_heads(values), self.proj_out.weight[:, :, 0], self.proj_out.bias)
        return x + rearrange(out, "b (h w) c -> b c h w", h=x.shape[2])
