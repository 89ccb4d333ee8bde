"""The convolutional blocks of the UNet, under the names of the published checkpoints."""

from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from latelier.denoisers.configs import UNetConfig
from latelier.denoisers.forward_context import ContextLayer, ForwardContext
from latelier.nn.layers import zero_init
from latelier.nn.packed import Conv2d, Linear

Resampling = Literal["up", "down"]


def resample(x: Tensor, direction: Resampling | None, ctx: ForwardContext) -> Tensor:
    """Return x at the size above (nearest), at half of its own (mean of 2 x 2), or unchanged.

    Half of an odd side is rounded up, as it is by a convolution of stride 2.
    """
    if direction == "up":
        return interpolate(x, size=ctx.size_above, mode="nearest")
    return avg_pool2d(x, 2, ceil_mode=True) if direction == "down" else x


class ResBlockConfig(Protocol):
    """What a residual block reads of the configuration of its denoiser."""

    @property
    def embedding_width(self) -> int:
        """Width of the timestep embedding."""
        ...

    @property
    def num_groups(self) -> int:
        """Groups of the normalisations."""
        ...

    @property
    def dropout(self) -> float:
        """The dropped share of the features."""
        ...

    @property
    def use_scale_shift_norm(self) -> bool:
        """Whether the timestep scales and shifts the norm, instead of being added."""
        ...


class ResBlock(ContextLayer):
    """Two convolutions with the timestep embedding between them, and a skip connection.

    The last convolution starts at zero, so that a new block is its skip connection alone.
    """

    def __init__(
        self,
        config: ResBlockConfig,
        in_channels: int,
        out_channels: int,
        resampling: Resampling | None = None,
    ) -> None:
        super().__init__()
        self.scale_shift = config.use_scale_shift_norm
        self.resampling: Resampling | None = resampling
        emb_out = 2 * out_channels if self.scale_shift else out_channels
        self.in_layers = nn.Sequential(
            nn.GroupNorm(config.num_groups, in_channels),
            nn.SiLU(),
            Conv2d(in_channels, out_channels, 3, padding=1),
        )
        # index 0 is the SiLU of the embedding, applied once for all blocks: ForwardContext.emb
        self.emb_layers = nn.Sequential(nn.Identity(), Linear(config.embedding_width, emb_out))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(config.num_groups, out_channels),
            nn.SiLU(),
            nn.Dropout(config.dropout),
            zero_init(Conv2d(out_channels, out_channels, 3, padding=1)),
        )
        self.skip_connection = (
            nn.Identity() if in_channels == out_channels else Conv2d(in_channels, out_channels, 1)
        )

    def forward(self, x: Tensor, ctx: ForwardContext) -> Tensor:
        """Return (B, C_out, h, w), h and w resampled."""
        norm_in, silu, conv_in = self.in_layers
        norm_out, *rest = self.out_layers
        h = conv_in(resample(silu(norm_in(x)), self.resampling, ctx))
        emb = self.emb_layers(ctx.emb)[:, :, None, None]  # (B, C_out or 2 * C_out, 1, 1)
        if self.scale_shift:
            scale, shift = emb.chunk(2, dim=1)
            h = torch.addcmul(shift, norm_out(h), 1 + scale)
        else:
            h = norm_out(h + emb)
        for layer in rest:
            h = layer(h)
        return self.skip_connection(resample(x, self.resampling, ctx)) + h


class Downsample(nn.Module):
    """Halves the size by a convolution of stride 2 or by the mean."""

    def __init__(self, channels: int, conv: bool) -> None:
        super().__init__()
        self.op = Conv2d(channels, channels, 3, 2, 1) if conv else nn.AvgPool2d(2, ceil_mode=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, h / 2, w / 2), rounded up."""
        return self.op(x)


class Upsample(ContextLayer):
    """Returns to the size above by nearest neighbours, then convolves."""

    def __init__(self, channels: int, conv: bool) -> None:
        super().__init__()
        self.conv = Conv2d(channels, channels, 3, padding=1) if conv else nn.Identity()

    def forward(self, x: Tensor, ctx: ForwardContext) -> Tensor:
        """Return (B, C, H, W), the size above."""
        return self.conv(resample(x, "up", ctx))


class Block(ContextLayer, nn.ModuleList):
    """Layers in sequence, and the caller's residual for the block, if there is one."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__(layers)

    def forward(self, h: Tensor, ctx: ForwardContext) -> Tensor:
        """Return (B, C_out, h', w') of features (B, C, h, w)."""
        for layer in self:
            h = ctx.run_layer(layer, h)
        return ctx.add_residual(self.name, h)


def build_downsample(config: UNetConfig, channels: int) -> nn.Module:
    """Return the layer that halves the resolution."""
    if config.resblock_updown:
        return ResBlock(config, channels, channels, "down")
    return Downsample(channels, config.conv_resample)


def build_upsample(config: UNetConfig, channels: int) -> nn.Module:
    """Return the layer that undoes a halving of the resolution."""
    if config.resblock_updown:
        return ResBlock(config, channels, channels, "up")
    return Upsample(channels, config.conv_resample)
