"""The encoder and decoder of both autoencoders (arXiv:2012.09841, arXiv:2112.10752).

Patches instead of pixels at both ends are optional; the published models have none.

Attribute names are the keys of the published checkpoints.
"""

from itertools import pairwise

from torch import Tensor, nn

from latelier.first_stages.attention import build_attention
from latelier.first_stages.configs import AutoencoderConfig
from latelier.first_stages.layers import (
    Downsample,
    ResnetBlock,
    Upsample,
    activate_in_place,
    build_norm,
)
from latelier.nn.packed import Conv2d


class Encoder(nn.Module):
    """Maps images to moments at latent size, before the 1x1 convolution."""

    def __init__(self, config: AutoencoderConfig, out_channels: int) -> None:
        super().__init__()
        widths = [config.ch * mult for mult in config.ch_mult]
        patch = config.patch_size
        self.to_patches = nn.PixelUnshuffle(patch) if patch > 1 else nn.Identity()
        self.conv_in = Conv2d(config.in_channels * patch**2, config.ch, 3, padding=1)
        self.down = nn.ModuleList(
            DownLevel(config, index, before, width)
            for index, (before, width) in enumerate(pairwise([config.ch, *widths]))
        )
        self.mid = Middle(config, widths[-1])
        self.norm_out = build_norm(widths[-1], config.num_groups)
        self.conv_out = Conv2d(widths[-1], out_channels, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Return (B, out_channels, H / f, W / f) of images (B, C, H, W)."""
        h = self.conv_in(self.to_patches(images))  # (B, ch, H / patch_size, W / patch_size)
        for level in self.down:
            h = level(h)
        h = self.mid(h)  # (B, ch * ch_mult[-1], H / f, W / f)
        return self.conv_out(activate_in_place(self.norm_out(h)))


class Decoder(nn.Module):
    """Maps latents, after the 1x1 convolution, to images.

    `up[0]` has the highest resolution, as in the published checkpoints; it runs last.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        widths = [config.ch * mult for mult in config.ch_mult]
        self.conv_in = Conv2d(config.z_channels, widths[-1], 3, padding=1)
        self.mid = Middle(config, widths[-1])
        self.up = nn.ModuleList(
            UpLevel(config, index, below, width)
            for index, (width, below) in enumerate(pairwise([*widths, widths[-1]]))
        )
        self.norm_out = build_norm(widths[0], config.num_groups)
        patch = config.patch_size
        self.conv_out = Conv2d(widths[0], config.out_ch * patch**2, 3, padding=1)
        self.from_patches = nn.PixelShuffle(patch) if patch > 1 else nn.Identity()

    def forward(self, z: Tensor) -> Tensor:
        """Return (B, out_ch, f h, f w) of z (B, z_channels, h, w)."""
        h = self.mid(self.conv_in(z))  # (B, ch * ch_mult[-1], h, w)
        for level in reversed(self.up):
            h = level(h)  # at last (B, ch * ch_mult[0], f h / patch_size, f w / patch_size)
        return self.from_patches(self.conv_out(activate_in_place(self.norm_out(h))))


class Middle(nn.Module):
    """Residual block, attention, residual block."""

    def __init__(self, config: AutoencoderConfig, channels: int) -> None:
        super().__init__()
        groups, dropout = config.num_groups, config.dropout
        self.block_1 = ResnetBlock(channels, channels, groups, dropout)
        self.attn_1 = build_attention(config.attn_type, channels, groups)
        self.block_2 = ResnetBlock(channels, channels, groups, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, h, w)."""
        return self.block_2(self.attn_1(self.block_1(x)))


class Level(nn.Module):
    """The residual blocks of one resolution, each followed by attention if configured.

    Level 0 has the highest resolution.
    """

    def __init__(
        self, config: AutoencoderConfig, index: int, channels: int, out_channels: int, blocks: int
    ) -> None:
        super().__init__()
        kind = config.attn_type if config.has_attention(index) else "none"
        widths = [channels] + [out_channels] * (blocks - 1)
        self.block = nn.ModuleList(
            ResnetBlock(width, out_channels, config.num_groups, config.dropout) for width in widths
        )
        self.attn = nn.ModuleList(
            build_attention(kind, out_channels, config.num_groups) for _ in range(blocks)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C', h, w) of x (B, C, h, w)."""
        for block, attn in zip(self.block, self.attn, strict=True):
            x = attn(block(x))
        return x


class DownLevel(Level):
    """A level of the encoder; all but the last halve the sides at their end."""

    def __init__(
        self, config: AutoencoderConfig, index: int, channels: int, out_channels: int
    ) -> None:
        super().__init__(config, index, channels, out_channels, config.num_res_blocks)
        is_last = index == len(config.ch_mult) - 1
        self.downsample = nn.Identity() if is_last else Downsample(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C', h / 2, w / 2) of x (B, C, h, w); in the last level (B, C', h, w)."""
        return self.downsample(super().forward(x))


class UpLevel(Level):
    """A level of the decoder; all but level 0 double the sides at their end."""

    def __init__(
        self, config: AutoencoderConfig, index: int, channels: int, out_channels: int
    ) -> None:
        super().__init__(config, index, channels, out_channels, config.num_res_blocks + 1)
        self.upsample = nn.Identity() if index == 0 else Upsample(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C', 2 h, 2 w) of x (B, C, h, w); in level 0 (B, C', h, w)."""
        return self.upsample(super().forward(x))
