"""The layers of the diffusion transformer, under the names of the published checkpoints.

Shapes: B rows of a batch, N tokens of width D.
"""

import torch
from torch import Tensor, nn

from latelier.denoisers.attention import CrossAttention
from latelier.denoisers.configs import TransformerConfig
from latelier.denoisers.forward_context import ContextLayer, ForwardContext
from latelier.nn.attention import attend, merge_heads, split_heads
from latelier.nn.packed import Conv2d, Linear

SINUSOIDS = 256
"""Width of the sinusoidal embedding of the timestep, the same in every published model."""


def modulate(tokens: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Return tokens (B, N, D) times 1 + scale plus shift, both (B, 1, D)."""
    return torch.addcmul(shift, tokens, 1 + scale)


def plain_norm(width: int) -> nn.LayerNorm:
    """Return a layer norm whose scale and shift come from `modulate`."""
    return nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)


class DiTSelfAttention(ContextLayer):
    """Attention among the tokens; one layer returns all heads' q, then all k, then all v."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = Linear(width, 3 * width)
        self.proj = Linear(width, width)

    def forward(self, tokens: Tensor, size: tuple[int, int], ctx: ForwardContext) -> Tensor:
        """Return (B, h * w, D) for the tokens of h x w patches."""

        def attention(tokens: Tensor) -> Tensor:
            q, k, v = (split_heads(part, self.heads) for part in self.qkv(tokens).chunk(3, dim=2))
            values = v if ctx.is_perturbed(self.name) else attend(q, k, v)  # (B, H, N, d)
            return self.proj(merge_heads(values))

        return ctx.attend(attention, tokens, size)


class Mlp(nn.Module):
    """Two layers around a GELU in its tanh approximation."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1 = Linear(width, inner)
        self.act = nn.GELU("tanh")
        self.fc2 = Linear(inner, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, N, D)."""
        return self.fc2(self.act(self.fc1(tokens)))


class DiTBlock(ContextLayer):
    """Self-attention and feed-forward network under adaLN-Zero (arXiv:2212.09748, section 3.2).

    The embedding shifts and scales the input of each, and gates its output. The gates start at
    zero, so that a new block returns its tokens unchanged. With a context, cross-attention stands
    between the two, without a gate; its output starts at zero.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width, heads = config.hidden_size, config.num_heads
        self.norm1 = plain_norm(width)
        self.attn = DiTSelfAttention(width, heads)
        if config.context_dim is not None:
            self.norm_cross = nn.LayerNorm(width, eps=1e-6)
            self.cross_attn = CrossAttention(width, config.context_dim, heads)
        self.norm2 = plain_norm(width)
        self.mlp = Mlp(width, int(width * config.mlp_ratio))
        # index 0 is the SiLU of the embedding, applied once for all blocks: ForwardContext.emb
        self.adaLN_modulation = nn.Sequential(nn.Identity(), Linear(width, 6 * width))

    def forward(self, tokens: Tensor, size: tuple[int, int], ctx: ForwardContext) -> Tensor:
        """Return (B, h * w, D) for the tokens of h x w patches."""
        modulation = self.adaLN_modulation(ctx.emb)[:, None].chunk(6, dim=2)  # (B, 1, D) each
        shift_msa, scale_msa, gate_msa, shift_mlp, scale_mlp, gate_mlp = modulation
        h = modulate(self.norm1(tokens), shift_msa, scale_msa)
        tokens = torch.addcmul(tokens, gate_msa, self.attn(h, size, ctx))
        if ctx.has_context:
            tokens = self.cross_attn(tokens, self.norm_cross(tokens), size, ctx)
        h = self.mlp(modulate(self.norm2(tokens), shift_mlp, scale_mlp))
        return torch.addcmul(tokens, gate_mlp, h)


class FinalLayer(nn.Module):
    """The last norm under adaLN, and a layer from each token to the latents of its patch."""

    def __init__(self, width: int, patch_dim: int) -> None:
        super().__init__()
        self.norm_final = plain_norm(width)
        self.linear = Linear(width, patch_dim)
        self.adaLN_modulation = nn.Sequential(nn.Identity(), Linear(width, 2 * width))

    def forward(self, tokens: Tensor, emb: Tensor) -> Tensor:
        """Return (B, N, patch_dim)."""
        shift, scale = self.adaLN_modulation(emb)[:, None].chunk(2, dim=2)
        return self.linear(modulate(self.norm_final(tokens), shift, scale))


class PatchEmbedder(nn.Module):
    """Makes one token of each square patch."""

    def __init__(self, channels: int, width: int, patch_size: int) -> None:
        super().__init__()
        self.proj = Conv2d(channels, width, patch_size, patch_size)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, D, h / p, w / p) of x (B, C, h, w)."""
        return self.proj(x)


class TimestepEmbedder(nn.Module):
    """Two layers on the sinusoidal embedding of the timestep."""

    def __init__(self, sinusoids: int, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(Linear(sinusoids, width), nn.SiLU(), Linear(width, width))

    def forward(self, sinusoids: Tensor) -> Tensor:
        """Return (B, D)."""
        return self.mlp(sinusoids)
