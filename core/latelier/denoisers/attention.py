"""Attention over the places of a feature map, and from them to a context.

The names of the modules are those of the published checkpoints.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear

from latelier.denoisers.adapter import Adapted
from latelier.denoisers.forward_context import Call
from latelier.nn.attention import attend, merge_heads, split_heads
from latelier.nn.layers import zero_init


class Attention(nn.Module):
    """Multi-head attention of queries (B, Q, C) to a context (B, N, D)."""

    def __init__(self, width: int, context_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context_width, width, bias=False)
        self.to_v = nn.Linear(context_width, width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(width, width))

    def forward(self, queries: Tensor, context: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return (B, Q, C); `bias` (B or 1, 1, Q or 1, N) is added to the logits."""
        out: Tensor = self.to_out(self.found(self.queries(queries), context, bias))
        return out

    def queries(self, tokens: Tensor) -> Tensor:
        """Return the queries of tokens (B, Q, C), the heads first: (B, H, Q, d)."""
        return split_heads(self.to_q(tokens), self.heads)

    def found(self, q: Tensor, context: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return what queries (B, H, Q, d) find, (B, Q, C), before the last layer."""
        k = split_heads(self.to_k(context), self.heads)
        v = split_heads(self.to_v(context), self.heads)
        return merge_heads(attend(q, k, v, bias))

    def out_of(self, values: Tensor) -> Tensor:
        """Return values (B, Q, C) through the last layer without its bias: of zeros, zeros."""
        last: nn.Linear = self.to_out[0]  # type: ignore[assignment]
        return linear(values, last.weight)

    def values(self, context: Tensor) -> Tensor:
        """Return (B, N, C): what forward gives where each place attends to itself alone."""
        out: Tensor = self.to_out(self.to_v(context))
        return out


def cross_attended(
    tokens: Tensor,
    queries: Tensor,
    attention: Attention,
    name: str,
    call: Call,
    grid: tuple[int, int],
) -> Tensor:
    """Return tokens (B, h * w, C) of a grid (h, w) with what their queries find.

    They look in the context, and in the adapters that serve the attention, whose name this is.
    """
    adapters = [each for each in call.adapters if each.serves(name)]
    if adapters:
        return _attended_beside(adapters, tokens, queries, attention, name, call, grid)
    if call.context is None:
        return tokens
    attended = call.context.at(grid)
    out: Tensor = attention(queries, attended.tokens, attended.bias)
    if attended.presence is None:
        return tokens + out
    return torch.addcmul(tokens, attended.presence, out)


def _attended_beside(
    adapters: Sequence[Adapted],
    tokens: Tensor,
    queries: Tensor,
    attention: Attention,
    name: str,
    call: Call,
    grid: tuple[int, int],
) -> Tensor:
    """Return what `cross_attended` does, of which adapters find a part."""
    q = attention.queries(queries)
    beside = _found_by(adapters, q, name, grid)
    if call.context is None:
        return tokens + attention.out_of(beside)
    attended = call.context.at(grid)
    own = attention.found(q, attended.tokens, attended.bias)
    if attended.presence is None:
        out: Tensor = attention.to_out(own + beside)
        return tokens + out
    out = torch.addcmul(tokens, attended.presence, attention.to_out(own))
    return out + attention.out_of(beside)


def _found_by(adapters: Sequence[Adapted], q: Tensor, name: str, grid: tuple[int, int]) -> Tensor:
    """Return (B, h * w, C), the sum of what queries (B, H, h * w, d) find in each adapter."""
    parts = []
    for each in adapters:
        attended = each.context.at(grid)
        found = each.adapter.keys_values(name, attended.tokens)
        k, v = (split_heads(part, q.shape[1]) for part in found)
        parts.append(each.weighed(merge_heads(attend(q, k, v, attended.bias)), attended))
    return sum(parts[1:], parts[0])


class AttentionBlock(nn.Module):
    """Self-attention of the models without a context; q, k, v interleaved head by head."""

    def __init__(self, width: int, heads: int, groups: int, name: str) -> None:
        super().__init__()
        self.heads = heads
        self.self_attention_names = frozenset({name})
        self.norm = nn.GroupNorm(groups, width)
        self.qkv = nn.Conv1d(width, 3 * width, 1)
        self.proj_out = zero_init(nn.Conv1d(width, width, 1))

    def forward(self, x: Tensor, call: Call) -> Tensor:
        """Return (B, C, h, w)."""
        tokens = self.norm(x).flatten(2).transpose(1, 2)  # (B, C, h, w) -> (B, h * w, C)
        b, n, width = tokens.shape
        qkv = linear(tokens, self.qkv.weight[:, :, 0], self.qkv.bias)
        # the published order: for each head its q, then its k, then its v
        qkv = qkv.view(b, n, self.heads, 3, width // self.heads)
        q, k, v = (part.transpose(1, 2) for part in qkv.unbind(3))
        passes = not call.perturbed_attention.isdisjoint(self.self_attention_names)
        values = v if passes else attend(q, k, v)
        out = linear(merge_heads(values), self.proj_out.weight[:, :, 0], self.proj_out.bias)
        return x + out.transpose(1, 2).view_as(x)


class GEGLU(nn.Module):
    """Gated linear unit, the value first and its gate second (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 2 * inner)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, N, inner)."""
        value, gate = self.proj(tokens).chunk(2, dim=-1)
        gated: Tensor = value * gelu(gate)
        return gated


class FeedForward(nn.Module):
    """Two layers with a gated unit of four times the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            GEGLU(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, N, C)."""
        out: Tensor = self.net(tokens)
        return out


class TransformerBlock(nn.Module):
    """Self-attention, cross-attention and feed-forward, each pre-normed and residual."""

    def __init__(self, width: int, context_dim: int, heads: int, name: str) -> None:
        super().__init__()
        self.cross_attention_name = f"{name}.attn2"
        # "middle_block.1" stands for all that it holds, ".transformer_blocks.0.attn1" for one
        outer = name.partition(".transformer_blocks")[0]
        self.self_attention_names = frozenset({outer, f"{name}.attn1"})
        self.attn1 = Attention(width, width, heads)
        self.ff = FeedForward(width)
        self.attn2 = Attention(width, context_dim, heads)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, grid: tuple[int, int], call: Call) -> Tensor:
        """Return (B, h * w, C) for the tokens of a grid (h, w)."""
        normed = self.norm1(tokens)
        passes = not call.perturbed_attention.isdisjoint(self.self_attention_names)
        attended = self.attn1.values(normed) if passes else self.attn1(normed, normed)
        tokens = tokens + attended
        if call.attends:
            name, queries = self.cross_attention_name, self.norm2(tokens)
            tokens = cross_attended(tokens, queries, self.attn2, name, call, grid)
        out: Tensor = tokens + self.ff(self.norm3(tokens))
        return out


class SpatialTransformer(nn.Module):
    """Transformer blocks over the places of a feature map, with projections around them."""

    def __init__(
        self,
        width: int,
        context_dim: int,
        heads: int,
        depth: int,
        groups: int,
        linear_projections: bool,
        name: str,
    ) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, eps=1e-6)
        self.proj_in = _projection(width, linear_projections)
        self.transformer_blocks = nn.ModuleList(
            TransformerBlock(width, context_dim, heads, f"{name}.transformer_blocks.{i}")
            for i in range(depth)
        )
        self.proj_out = zero_init(_projection(width, linear_projections))

    def forward(self, x: Tensor, call: Call) -> Tensor:
        """Return (B, C, h, w)."""
        grid = (x.shape[2], x.shape[3])
        tokens = self.norm(x).flatten(2).transpose(1, 2)  # (B, C, h, w) -> (B, h * w, C)
        tokens = _projected(self.proj_in, tokens)
        for block in self.transformer_blocks:
            tokens = block(tokens, grid, call)
        tokens = _projected(self.proj_out, tokens)
        return x + tokens.transpose(1, 2).view_as(x)


def _projection(width: int, is_linear: bool) -> nn.Linear | nn.Conv2d:
    return nn.Linear(width, width) if is_linear else nn.Conv2d(width, width, 1)


def _projected(projection: nn.Linear | nn.Conv2d, tokens: Tensor) -> Tensor:
    """Apply the layer to tokens; a 1x1 convolution is the same linear map of each place."""
    return linear(tokens, projection.weight.flatten(1), projection.bias)
