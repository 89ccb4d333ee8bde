"""The self-attentions of the autoencoders. Attribute names are checkpoint keys."""

from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from latelier.first_stages.layers import build_norm
from latelier.nn.packed import Conv2d

AttentionType = Literal["vanilla", "linear", "none"]


class AttnBlock(nn.Module):
    """Residual self-attention over all positions, with one head as wide as the block."""

    def __init__(self, channels: int, num_groups: int | None) -> None:
        super().__init__()
        self.norm = build_norm(channels, num_groups)
        self.q = Conv2d(channels, channels, 1)
        self.k = Conv2d(channels, channels, 1)
        self.v = Conv2d(channels, channels, 1)
        self.proj_out = Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, h, w)."""
        h = self.norm(x)
        # contiguous, or else torch holds the weights of all pairs: 2 GB for latents of 128 x 128
        q, k, v = (
            rearrange(project(h), "b c h w -> b 1 (h w) c").contiguous()
            for project in (self.q, self.k, self.v)
        )
        h = scaled_dot_product_attention(q, k, v)
        h = rearrange(h, "b 1 (h w) c -> b c h w", h=x.shape[2])
        return x + self.proj_out(h)


class LinearAttention(nn.Module):
    """Attention without a softmax over pairs (Shen et al. 2018, arXiv:1812.01243), with one head.

    As in the published autoencoders it has neither a norm nor a residual connection.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_qkv = Conv2d(channels, 3 * channels, 1, bias=False)
        self.to_out = Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, h, w)."""
        q, k, v = self.to_qkv(x).flatten(2).chunk(3, dim=1)  # (B, C, h * w) each
        context = torch.einsum("bdn, ben -> bde", k.softmax(dim=-1), v)
        h = torch.einsum("bde, bdn -> ben", context, q)
        return self.to_out(rearrange(h, "b c (h w) -> b c h w", h=x.shape[2]))


def build_attention(kind: AttentionType, channels: int, num_groups: int | None) -> nn.Module:
    """Return the attention of a kind; the identity for "none"."""
    if kind == "none":
        return nn.Identity()
    return LinearAttention(channels) if kind == "linear" else AttnBlock(channels, num_groups)
