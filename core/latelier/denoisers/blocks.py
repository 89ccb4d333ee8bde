"""The convolutional blocks of the UNet, under the names of the published checkpoints."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from latelier.denoisers.attention import AttentionBlock, SpatialTransformer
from latelier.denoisers.forward_context import Call
from latelier.nn.layers import zero_init

Resampling = Literal["up", "down"]


def resampled(x: Tensor, way: Resampling | None) -> Tensor:
    """Return x at twice the size (nearest), half of it (mean of 2 x 2), or as it is."""
    if way == "up":
        return interpolate(x, scale_factor=2.0, mode="nearest")
    return avg_pool2d(x, 2) if way == "down" else x


class ResBlock(nn.Module):
    """Two convolutions around the injection of the timestep embedding, and a skip connection.

    It is residual, and starts as its skip connection alone: the last convolution is zero at first.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        emb_width: int,
        *,
        groups: int,
        dropout: float,
        scale_shift: bool,
        resampling: Resampling | None = None,
    ) -> None:
        super().__init__()
        self.scale_shift = scale_shift
        self.resampling: Resampling | None = resampling
        emb_out = 2 * out_channels if scale_shift else out_channels
        self.in_layers = nn.Sequential(
            nn.GroupNorm(groups, in_channels),
            nn.SiLU(),
            nn.Conv2d(in_channels, out_channels, 3, padding=1),
        )
        # index 0 is the SiLU of the embedding, applied once for all blocks (see Call.emb)
        self.emb_layers = nn.Sequential(nn.Identity(), nn.Linear(emb_width, emb_out))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(groups, out_channels),
            nn.SiLU(),
            nn.Dropout(dropout),
            zero_init(nn.Conv2d(out_channels, out_channels, 3, padding=1)),
        )
        self.skip_connection = (
            nn.Identity()
            if in_channels == out_channels
            else nn.Conv2d(in_channels, out_channels, 1)
        )

    def forward(self, x: Tensor, call: Call) -> Tensor:
        """Return (B, C_out, h, w), h and w resampled."""
        norm_in, silu, conv_in = self.in_layers
        norm_out, *rest = self.out_layers
        h = conv_in(resampled(silu(norm_in(x)), self.resampling))
        emb = self.emb_layers(call.emb)[:, :, None, None]
        if self.scale_shift:
            scale, shift = emb.chunk(2, dim=1)
            h = torch.addcmul(shift, norm_out(h), 1 + scale)
        else:
            h = norm_out(h + emb)
        for layer in rest:
            h = layer(h)
        return torch.add(self.skip_connection(resampled(x, self.resampling)), h)


class Downsample(nn.Module):
    """Halves the size, by a convolution of stride 2 or by the mean."""

    def __init__(self, channels: int, conv: bool) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, 2, 1) if conv else nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, h / 2, w / 2)."""
        out: Tensor = self.op(x)
        return out


class Upsample(nn.Module):
    """Doubles the size by nearest neighbours; then a convolution."""

    def __init__(self, channels: int, conv: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1) if conv else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, 2 h, 2 w)."""
        out: Tensor = self.conv(resampled(x, "up"))
        return out


def applied(layer: nn.Module, x: Tensor, call: Call) -> Tensor:
    """Return what a layer makes of x; it is given the call if it needs it."""
    told = isinstance(layer, ResBlock | AttentionBlock | SpatialTransformer)
    out: Tensor = call.applied(layer, x) if told else layer(x)
    return out


class Block(nn.ModuleList):
    """Layers in sequence."""

    def forward(self, x: Tensor, call: Call) -> Tensor:
        """Return the features after every layer."""
        for layer in self:
            x = applied(layer, x, call)
        return x
