"""The decoder of both autoencoders (arXiv:2012.09841, arXiv:2112.10752)."""

from itertools import pairwise

from torch import Tensor, nn

from latelier.first_stages.attention import attention
from latelier.first_stages.configs import AutoencoderConfig
from latelier.first_stages.layers import Downsample, ResnetBlock, Upsample, activated, group_norm


class Decoder(nn.Module):
    """Maps latents, after the 1x1 convolution, to images.

    `up[0]` is the highest resolution, as in the published checkpoints; it runs last.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        widths = [config.ch * mult for mult in config.ch_mult]
        self.conv_in = nn.Conv2d(config.z_channels, widths[-1], 3, padding=1)
        self.mid = Middle(config, widths[-1])
        self.up = nn.ModuleList(
            UpLevel(config, index, below, width)
            for index, (width, below) in enumerate(pairwise([*widths, widths[-1]]))
        )
        self.norm_out = group_norm(widths[0], config.num_groups)
        self.conv_out = nn.Conv2d(widths[0], config.out_ch, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, z, h, w) to (B, C, f h, f w)."""
        h = self.mid(self.conv_in(features))
        for level in reversed(self.up):
            h = level(h)
        images: Tensor = self.conv_out(activated(self.norm_out(h)))
        return images


class Encoder(nn.Module):
    """Maps images to features at latent size, before the 1x1 convolution."""

    def __init__(self, config: AutoencoderConfig, out_channels: int) -> None:
        super().__init__()
        widths = [config.ch * mult for mult in config.ch_mult]
        self.conv_in = nn.Conv2d(config.in_channels, config.ch, 3, padding=1)
        self.down = nn.ModuleList(
            DownLevel(config, index, before, width)
            for index, (before, width) in enumerate(pairwise([config.ch, *widths]))
        )
        self.mid = Middle(config, widths[-1])
        self.norm_out = group_norm(widths[-1], config.num_groups)
        self.conv_out = nn.Conv2d(widths[-1], out_channels, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H / f, W / f)."""
        h = self.conv_in(images)
        for level in self.down:
            h = level(h)
        features: Tensor = self.conv_out(activated(self.norm_out(self.mid(h))))
        return features


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
