"""The stations of encoder and decoder: one for each resolution, and the middle.

Attribute names are the keys of the published checkpoints.
"""

from torch import Tensor, nn

from latelier.first_stages.attention import attention
from latelier.first_stages.autoencoder_config import AutoencoderConfig
from latelier.first_stages.layers import Downsample, ResnetBlock, Upsample


class Middle(nn.Module):
    """Residual block, attention, residual block."""

    def __init__(self, config: AutoencoderConfig, channels: int) -> None:
        super().__init__()
        groups, dropout = config.num_groups, config.dropout
        self.block_1 = ResnetBlock(channels, channels, groups, dropout)
        self.attn_1 = attention(config.attn_type, channels, groups)
        self.block_2 = ResnetBlock(channels, channels, groups, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        h: Tensor = self.block_2(self.attn_1(self.block_1(x)))
        return h


class Level(nn.Module):
    """The blocks of one resolution, with attention after each where the configuration asks.

    index: 0 is the highest resolution.
    """

    def __init__(
        self, config: AutoencoderConfig, index: int, channels: int, out_channels: int, blocks: int
    ) -> None:
        super().__init__()
        kind = config.attn_type if config.attends(index) else "none"
        widths = [channels] + [out_channels] * (blocks - 1)
        self.block = nn.ModuleList(
            ResnetBlock(width, out_channels, config.num_groups, config.dropout) for width in widths
        )
        self.attn = nn.ModuleList(
            attention(kind, out_channels, config.num_groups) for _ in range(blocks)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C', h, w)."""
        for block, attn in zip(self.block, self.attn, strict=True):
            x = attn(block(x))
        return x


class DownLevel(Level):
    """A level of the encoder; all but the last end by halving the sides."""

    def __init__(
        self, config: AutoencoderConfig, index: int, channels: int, out_channels: int
    ) -> None:
        super().__init__(config, index, channels, out_channels, config.num_res_blocks)
        last = index == len(config.ch_mult) - 1
        self.downsample = nn.Identity() if last else Downsample(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C', h / 2, w / 2), or (B, C', h, w) in the last."""
        out: Tensor = self.downsample(super().forward(x))
        return out


class UpLevel(Level):
    """A level of the decoder; all but that of full resolution end by doubling the sides."""

    def __init__(
        self, config: AutoencoderConfig, index: int, channels: int, out_channels: int
    ) -> None:
        super().__init__(config, index, channels, out_channels, config.num_res_blocks + 1)
        self.upsample = nn.Identity() if index == 0 else Upsample(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C', 2 h, 2 w), or (B, C', h, w) in the last."""
        out: Tensor = self.upsample(super().forward(x))
        return out
