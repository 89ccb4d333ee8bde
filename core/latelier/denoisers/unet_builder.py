"""Lays out the blocks of the UNet from its configuration."""

from torch import nn

from latelier.denoisers.attention import AttentionBlock, SpatialTransformer
from latelier.denoisers.blocks import Block, Downsample, Resampling, ResBlock, Upsample
from latelier.denoisers.configs import UNetConfig


class UNetBuilder:
    """Builds the input, middle and output blocks, in this order.

    channels: width after the last block built. skips: widths of the input blocks' outputs that
    no output block has taken yet.
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
                layers: list[nn.Module] = [self._res(self.channels, multiple)]
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
        first = self._res_same()
        return Block([first, self._attention("middle_block.1"), self._res_same()])

    def output_blocks(self) -> nn.ModuleList:
        """Return, from the last level to the first, residual blocks on skips, and upsamplings."""
        config = self.config
        blocks: list[Block] = []
        for level, multiple in reversed(list(enumerate(config.channel_mult))):
            for i in range(config.num_res_blocks + 1):
                layers: list[nn.Module] = [self._res(self.channels + self.skips.pop(), multiple)]
                if 2**level in config.attention_resolutions:
                    layers.append(self._attention(f"output_blocks.{len(blocks)}.1"))
                if level > 0 and i == config.num_res_blocks:
                    layers.append(self._resampling("up"))
                blocks.append(Block(layers))
        return nn.ModuleList(blocks)

    def _res(self, in_channels: int, multiple: int) -> ResBlock:
        self.channels = multiple * self.config.model_channels
        return self._res_block(in_channels, None)

    def _res_same(self) -> ResBlock:
        return self._res_block(self.channels, None)

    def _res_block(self, in_channels: int, resampling: Resampling | None) -> ResBlock:
        return ResBlock(
            in_channels,
            self.channels,
            self.config.embedding_width,
            groups=self.config.num_groups,
            dropout=self.config.dropout,
            scale_shift=self.config.use_scale_shift_norm,
            resampling=resampling,
        )

    def _resampling(self, way: Resampling) -> nn.Module:
        if self.config.resblock_updown:
            return self._res_block(self.channels, way)
        layer = Downsample if way == "down" else Upsample
        return layer(self.channels, self.config.conv_resample)

    def _attention(self, name: str) -> nn.Module:
        config = self.config
        heads = config.heads(self.channels)
        if config.context_dim is None:
            return AttentionBlock(self.channels, heads, config.num_groups, name)
        return SpatialTransformer(
            self.channels,
            config.context_dim,
            heads,
            depth=config.transformer_depth,
            groups=config.num_groups,
            linear_projections=config.use_linear_projections,
            name=name,
        )
