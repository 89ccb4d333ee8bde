"""The transformer encoder of the published text and layout models.

Keys and numerics are those of their checkpoints (arXiv:2112.10752, appendix E.2.1).
"""

from torch import Tensor, nn

from latelier.nn.attention import attend_explicitly, merge_heads, split_heads
from latelier.nn.packed import Linear
from latelier.nn.stored_weights import Embedding

HEADS = 8
HEAD_WIDTH = 64
"""Every published encoder attends with 8 x 64 = 512 channels, whatever its width."""

EMBEDDING_STD = 0.02


class TransformerEncoder(nn.Module):
    """Pre-norm encoder of token ids, with learnt absolute positions and no mask.

    Positions are added to the tokens unscaled.
    """

    def __init__(self, width: int, layers: int, vocab_size: int, length: int) -> None:
        super().__init__()
        self.token_emb = Embedding(vocab_size, width)
        self.pos_emb = AbsolutePositions(length, width)
        self.attn_layers = AttentionLayers(width, layers)
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.token_emb.weight, std=EMBEDDING_STD)
        nn.init.normal_(self.pos_emb.emb.weight, std=EMBEDDING_STD)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, length, width) of ids (B, length)."""
        x = self.token_emb(tokens) + self.pos_emb.emb.weight
        return self.norm(self.attn_layers(x))


class AbsolutePositions(nn.Module):
    """One learnt vector for each position."""

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.emb = nn.Embedding(length, width)


class AttentionLayers(nn.Module):
    """Residual layers in pairs: self-attention, then a feed-forward network."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), kind(width))
            for _ in range(layers)
            for kind in (SelfAttention, FeedForward)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, N, D)."""
        for layer in self.layers:
            x = x + layer(x)
        return x


class SelfAttention(nn.Module):
    """Attention of all tokens to all tokens.

    It is explicit: sequences are short, and on a CPU the 16-bit gradient of the fused kernel is
    slow.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = HEADS * HEAD_WIDTH
        self.to_q = Linear(width, inner, bias=False)
        self.to_k = Linear(width, inner, bias=False)
        self.to_v = Linear(width, inner, bias=False)
        self.to_out = Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, N, D)."""
        q, k, v = (split_heads(layer(x), HEADS) for layer in (self.to_q, self.to_k, self.to_v))
        return self.to_out(merge_heads(attend_explicitly(q, k, v)))


class FeedForward(nn.Module):
    """Two linear layers with four times the width between them, and the exact (erf) GELU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Sequential(Linear(width, 4 * width), nn.GELU()),
            nn.Identity(),  # published keys count a dropout layer here
            Linear(4 * width, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, N, D)."""
        return self.net(x)
