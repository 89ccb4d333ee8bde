"""The layers of the diffusion transformer, under the names of the published checkpoints."""

import torch
from torch import Tensor, nn

from latelier.denoisers.attention import Attention, cross_attended
from latelier.denoisers.forward_context import Call
from latelier.nn.attention import attend, merge_heads, split_heads


def modulated(tokens: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Return tokens (B, N, D) scaled by 1 + scale and shifted; shift and scale are (B, D)."""
    return torch.addcmul(shift[:, None], tokens, 1 + scale[:, None])


def plain_norm(width: int) -> nn.LayerNorm:
    """Return a layer normalisation whose scale and shift come from elsewhere."""
    return nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)


class SelfAttention(nn.Module):
    """Attention among the tokens; one layer gives all heads' q, then all k, then all v."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, perturbed: bool) -> Tensor:
        """Return (B, N, D); where it passes values, each token attends to itself alone."""
        q, k, v = self.qkv(tokens).chunk(3, dim=2)
        if not perturbed:
            v = merge_heads(attend(*(split_heads(part, self.heads) for part in (q, k, v))))
        out: Tensor = self.proj(v)
        return out


class Mlp(nn.Module):
    """Two layers around a GELU in its tanh approximation."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, inner)
        self.act = nn.GELU("tanh")
        self.fc2 = nn.Linear(inner, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, N, D)."""
        out: Tensor = self.fc2(self.act(self.fc1(tokens)))
        return out


class DiTBlock(nn.Module):
    """Self-attention and feed-forward under adaLN-Zero (arXiv:2212.09748, section 3.2).

    The embedding shifts and scales what enters each, and gates what leaves it; the gates are zero
    at first, so that a new block passes its tokens on unchanged. Where there is a context,
    cross-attention stands between the two, ungated, its output zero at first.
    """

    def __init__(
        self, width: int, heads: int, inner: int, context_dim: int | None, name: str
    ) -> None:
        super().__init__()
        self.self_attention_name = f"{name}.attn"
        self.cross_attention_name = f"{name}.cross_attn"
        self.norm1 = plain_norm(width)
        self.attn = SelfAttention(width, heads)
        if context_dim is not None:
            self.norm_cross = nn.LayerNorm(width, eps=1e-6)
            self.cross_attn = Attention(width, context_dim, heads)
        self.norm2 = plain_norm(width)
        self.mlp = Mlp(width, inner)
        # index 0 is the SiLU of the embedding, applied once for all blocks (see Call.emb)
        self.adaLN_modulation = nn.Sequential(nn.Identity(), nn.Linear(width, 6 * width))

    def forward(self, tokens: Tensor, grid: tuple[int, int], call: Call) -> Tensor:
        """Return (B, h * w, D) for the tokens of a grid (h, w)."""
        parts = self.adaLN_modulation(call.emb).chunk(6, dim=1)
        shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = parts
        passes = self.self_attention_name in call.perturbed_attention
        attended = self.attn(modulated(self.norm1(tokens), shift, scale), passes)
        tokens = torch.addcmul(tokens, gate[:, None], attended)
        if call.attends:
            name, queries = self.cross_attention_name, self.norm_cross(tokens)
            tokens = cross_attended(tokens, queries, self.cross_attn, name, call, grid)
        fed = self.mlp(modulated(self.norm2(tokens), mlp_shift, mlp_scale))
        return torch.addcmul(tokens, mlp_gate[:, None], fed)


class FinalLayer(nn.Module):
    """The last normalisation under adaLN, and the layer to the latents of each patch."""

    def __init__(self, width: int, patch_numbers: int) -> None:
        super().__init__()
        self.norm_final = plain_norm(width)
        self.linear = nn.Linear(width, patch_numbers)
        self.adaLN_modulation = nn.Sequential(nn.Identity(), nn.Linear(width, 2 * width))

    def forward(self, tokens: Tensor, call: Call) -> Tensor:
        """Return (B, N, patch_numbers)."""
        shift, scale = self.adaLN_modulation(call.emb).chunk(2, dim=1)
        out: Tensor = self.linear(modulated(self.norm_final(tokens), shift, scale))
        return out


class PatchEmbedder(nn.Module):
    """One token for each square patch."""

    def __init__(self, channels: int, width: int, patch_size: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch_size, patch_size)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, D, h / p, w / p) of x (B, C, h, w)."""
        out: Tensor = self.proj(x)
        return out


class TimestepEmbedder(nn.Module):
    """Two layers on the sinusoidal embedding of the timestep."""

    def __init__(self, sinusoids: int, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(sinusoids, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, sinusoids: Tensor) -> Tensor:
        """Return (B, D)."""
        out: Tensor = self.mlp(sinusoids)
        return out
