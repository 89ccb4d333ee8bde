"""The transformer blocks of the UNet, under the names of the published checkpoints."""

from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import gelu

from latelier.denoisers.attention import CrossAttention, SelfAttention
from latelier.denoisers.configs import UNetConfig
from latelier.denoisers.forward_context import ContextLayer, ForwardContext
from latelier.nn.layers import zero_init
from latelier.nn.packed import Conv2d, Linear, project


class GEGLU(nn.Module):
    """Gated linear unit, its value first and its gate second (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.proj = Linear(width, 2 * inner)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, N, inner)."""
        value, gate = self.proj(tokens).chunk(2, dim=-1)
        return gelu(gate).mul_(value)  # in place: these are the widest tensors of the denoiser


class FeedForward(nn.Module):
    """A gated unit of four times the width, and a layer back to the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(GEGLU(width, 4 * width), nn.Identity(), Linear(4 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, N, C)."""
        return self.net(tokens)


class TransformerBlock(ContextLayer):
    """Self-attention, cross-attention and feed-forward network, each pre-norm and residual."""

    def __init__(self, width: int, context_dim: int, heads: int) -> None:
        super().__init__()
        self.attn1 = SelfAttention(width, heads)
        self.ff = FeedForward(width)
        self.attn2 = CrossAttention(width, context_dim, heads)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, size: tuple[int, int], ctx: ForwardContext) -> Tensor:
        """Return (B, h * w, C) for the tokens of a feature map of size (h, w)."""
        tokens = tokens + self.attn1(self.norm1(tokens), size, ctx)
        if ctx.has_context:
            tokens = self.attn2(tokens, self.norm2(tokens), size, ctx)
        return tokens + self.ff(self.norm3(tokens))


class SpatialTransformer(ContextLayer):
    """Transformer blocks over the positions of a feature map, between two projections."""

    def __init__(self, config: UNetConfig, width: int, depth: int) -> None:
        super().__init__()
        assert config.context_dim is not None
        self.norm = nn.GroupNorm(config.num_groups, width, eps=1e-6)
        self.proj_in = _build_projection(config, width)
        self.transformer_blocks = nn.ModuleList(
            TransformerBlock(width, config.context_dim, config.heads(width)) for _ in range(depth)
        )
        self.proj_out = zero_init(_build_projection(config, width))

    def forward(self, x: Tensor, ctx: ForwardContext) -> Tensor:
        """Return (B, C, h, w)."""
        size = (x.shape[2], x.shape[3])
        tokens = rearrange(self.norm(x), "b c h w -> b (h w) c")
        tokens = project(tokens, self.proj_in)
        for block in self.transformer_blocks:
            tokens = block(tokens, size, ctx)
        tokens = project(tokens, self.proj_out)
        return x + rearrange(tokens, "b (h w) c -> b c h w", h=size[0])


def _build_projection(config: UNetConfig, width: int) -> nn.Linear | nn.Conv2d:
    if config.use_linear_projections:
        return Linear(width, width)
    return Conv2d(width, width, 1)
