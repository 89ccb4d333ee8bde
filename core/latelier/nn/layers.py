"""A transformer encoder layer, and the initialisation of layers that start without effect."""

from typing import TypeVar

from einops import rearrange
from torch import Tensor, nn

from latelier.nn.attention import attend_explicitly, merge_heads
from latelier.nn.packed import Linear

M = TypeVar("M", bound=nn.Module)


def zero_init(module: M) -> M:
    """Set all parameters of a module to zero and return it."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


class EncoderLayer(nn.Module):
    """Pre-norm self-attention and feed-forward network, each with a residual connection.

    Its sequences are short, a caption or the objects of a layout. Attention is explicit for them,
    because on a CPU the 16-bit gradient of the fused kernel is slow.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.to_qkv = Linear(width, 3 * width, bias=False)
        self.to_out = Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            Linear(width, 4 * width), nn.GELU(), Linear(4 * width, width)
        )

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return (B, N, D); `mask` (B, 1, 1, N) bool is True where a token may be attended to."""
        qkv = self.to_qkv(self.norm1(tokens))  # (B, N, 3 * D)
        q, k, v = rearrange(qkv, "b n (qkv h d) -> qkv b h n d", qkv=3, h=self.heads)
        tokens = tokens + self.to_out(merge_heads(attend_explicitly(q, k, v, mask)))
        return tokens + self.feed_forward(self.norm2(tokens))
