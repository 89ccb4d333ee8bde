"""Lays out the blocks of the UNet from its configuration."""

from torch import nn

from latelier.denoisers.attention import AttentionBlock
from latelier.denoisers.blocks import Block, Downsample, Resampling, ResBlock, Upsample
from latelier.denoisers.configs import UNetConfig
from latelier.denoisers.spatial_transformer import SpatialTransformer


class UNetBuilder:
    """Builds the input, middle and output blocks, in this order.

    Attributes:
        channels: width of the last block built.
        skips: widths of the input blocks' outputs that no output block has taken yet.
    """

    def __init__(self, config: UNetConfig) -> None:
        self.config = config
        self.channels = config.model_channels
        self.skips: list[int] = []

    def input_blocks(self) -> nn.ModuleList:
        """Return the first convolution and, for each level, residual blocks and a downsampling."""
        config = self.config
        blocks = [Block([nn.Conv2d(config.given_channels, self.channels, 3, padding=1)])]
        self.skips.append(self.channels)
        for level, multiple in enumerate(config.channel_mult):
            for _ in range(config.num_res_blocks):
                layers = [self._res_block(self.channels, multiple * config.model_channels)]
                if 2**level in config.attention_resolutions:
                    layers.append(self._attention(f"input_blocks.{len(blocks)}.1"))
                blocks.append(Block(layers))
                self.skips.append(self.channels)
            if level < len(config.channel_mult) - 1:
                blocks.append(Block([self._resampling("down")]))
                self.skips.append(self.channels)
        return nn.ModuleList(blocks)

    def middle_block(self) -> Block:
        """Return a residual block, an attention and a residual block."""
        return Block(
            [
                self._res_block(self.channels, self.channels),
                self._attention("middle_block.1"),
                self._res_block(self.channels, self.channels),
            ]
        )

    def output_blocks(self) -> nn.ModuleList:
        """Return, from the last level to the first, residual blocks on skips, and upsamplings."""
        config = self.config
        blocks: list[Block] = []
        for level, multiple in reversed(list(enumerate(config.channel_mult))):
            for i in range(config.num_res_blocks + 1):
                joined = self.channels + self.skips.pop()
                layers = [self._res_block(joined, multiple * config.model_channels)]
                if 2**level in config.attention_resolutions:
                    layers.append(self._attention(f"output_blocks.{len(blocks)}.1"))
                if level > 0 and i == config.num_res_blocks:
                    layers.append(self._resampling("up"))
                blocks.append(Block(layers))
        return nn.ModuleList(blocks)

    def _res_block(
        self, in_channels: int, out_channels: int, resampling: Resampling | None = None
    ) -> nn.Module:
        self.channels = out_channels
        return ResBlock(self.config, in_channels, out_channels, resampling)

    def _resampling(self, direction: Resampling) -> nn.Module:
        if self.config.resblock_updown:
            return self._res_block(self.channels, self.channels, direction)
        layer = Downsample if direction == "down" else Upsample
        return layer(self.channels, self.config.conv_resample)

    def _attention(self, name: str) -> nn.Module:
        config = self.config
        if config.context_dim is None:
            heads = config.heads(self.channels)
            return AttentionBlock(self.channels, heads, config.num_groups, name)
        return SpatialTransformer(config, self.channels, name)
