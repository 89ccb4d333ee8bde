"""The layers of the autoencoders of Esser et al. 2021 (arXiv:2012.09841) and Rombach et al. 2022.

Attribute names are the keys of the published checkpoints.
"""

from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, scaled_dot_product_attention, silu


def group_norm(channels: int, num_groups: int) -> nn.GroupNorm:
    """Return the norm used throughout; its epsilon is not torch's default."""
    return nn.GroupNorm(num_groups, channels, eps=1e-6)


class ResnetBlock(nn.Module):
    """Two 3x3 convolutions, each after norm and SiLU, added to the input."""

    def __init__(self, channels: int, out_channels: int, num_groups: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = group_norm(channels, num_groups)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.norm2 = group_norm(out_channels, num_groups)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.nin_shortcut = (
            nn.Conv2d(channels, out_channels, 1) if channels != out_channels else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C', h, w)."""
        h = self.conv1(silu(self.norm1(x)))
        h = self.conv2(self.dropout(silu(self.norm2(h))))
        out: Tensor = self.nin_shortcut(x) + h
        return out


class AttnBlock(nn.Module):
    """Self-attention of one head, as wide as the block, over all positions."""

    def __init__(self, channels: int, num_groups: int) -> None:
        super().__init__()
        self.norm = group_norm(channels, num_groups)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        h = self.norm(x)
        q, k, v = (
            rearrange(project(h), "b c h w -> b 1 (h w) c") for project in (self.q, self.k, self.v)
        )
        h = scaled_dot_product_attention(q, k, v)
        h = rearrange(h, "b 1 (h w) c -> b c h w", h=x.shape[2])
        out: Tensor = x + self.proj_out(h)
        return out


class Downsample(nn.Module):
    """A 3x3 convolution of stride 2, padded on the right and below only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C, h / 2, w / 2)."""
        padded = pad(x, (0, 1, 0, 1))
        halved: Tensor = self.conv(padded)
        return halved


class Upsample(nn.Module):
    """Each pixel four times, then a 3x3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C, 2 h, 2 w)."""
        doubled: Tensor = self.conv(interpolate(x, scale_factor=2.0, mode="nearest"))
        return doubled


class Middle(nn.Module):
    """Residual block, attention, residual block."""

    def __init__(self, channels: int, num_groups: int, dropout: float, *, attention: bool) -> None:
        super().__init__()
        self.block_1 = ResnetBlock(channels, channels, num_groups, dropout)
        self.attn_1 = AttnBlock(channels, num_groups) if attention else nn.Identity()
        self.block_2 = ResnetBlock(channels, channels, num_groups, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        h: Tensor = self.block_2(self.attn_1(self.block_1(x)))
        return h


class Level(nn.Module):
    """The blocks of one resolution, with attention after each where asked for."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        blocks: int,
        num_groups: int,
        dropout: float,
        *,
        attention: bool,
    ) -> None:
        super().__init__()
        widths = [channels] + [out_channels] * blocks
        self.block = nn.ModuleList(
            ResnetBlock(width, out_channels, num_groups, dropout) for width in widths[:-1]
        )
        self.attn = nn.ModuleList(
            AttnBlock(out_channels, num_groups) if attention else nn.Identity() for _ in widths[1:]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C', h, w)."""
        for block, attn in zip(self.block, self.attn, strict=True):
            x = attn(block(x))
        return x


class DownLevel(Level):
    """A level of the encoder; all but the last end by halving the sides."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        blocks: int,
        num_groups: int,
        dropout: float,
        *,
        attention: bool,
        last: bool,
    ) -> None:
        super().__init__(channels, out_channels, blocks, num_groups, dropout, attention=attention)
        self.downsample = nn.Identity() if last else Downsample(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C', h / 2, w / 2), or (B, C', h, w) in the last."""
        out: Tensor = self.downsample(super().forward(x))
        return out


class UpLevel(Level):
    """A level of the decoder; all but that of full resolution end by doubling the sides."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        blocks: int,
        num_groups: int,
        dropout: float,
        *,
        attention: bool,
        last: bool,
    ) -> None:
        super().__init__(channels, out_channels, blocks, num_groups, dropout, attention=attention)
        self.upsample = nn.Identity() if last else Upsample(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C', 2 h, 2 w), or (B, C', h, w) in the last."""
        out: Tensor = self.upsample(super().forward(x))
        return out
