"""The layers of the autoencoders of Esser et al. (arXiv:2012.09841), Rombach et al. and TAESD.

Attribute names are the keys of the published checkpoints.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, relu, silu

from latelier.nn.packed import Conv2d

_EPS = 1e-6
"""That of the published models."""


class PositionNorm(nn.Module):
    """Divides the channels of each position by their root mean square, then scales and shifts them.

    RMS norm (Zhang and Sennrich 2019, arXiv:1910.07467), in place of group norms in autoencoders as
    in DC-AE (Chen et al. 2024, arXiv:2410.10733). The statistics of a group norm are of the whole
    map, so a change anywhere changes all latents; here it reaches as far as convolutions do.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, h, w)."""
        # Its square can overflow in float16; a wider type for all of x takes memory.
        wide = torch.float32 if x.dtype == torch.float16 else None
        norm = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=wide)  # (B, 1, h, w)
        norm = norm.to(torch.promote_types(x.dtype, torch.float32))
        scale = (norm.square() / x.shape[1] + _EPS).rsqrt().to(x.dtype)
        weight, bias = (each.to(x.dtype).view(-1, 1, 1) for each in (self.weight, self.bias))
        return torch.addcmul(bias, x * scale, weight)


def build_norm(channels: int, num_groups: int | None) -> nn.GroupNorm | PositionNorm:
    """Return a group norm, or without groups one of each position."""
    if num_groups is None:
        return PositionNorm(channels)
    return nn.GroupNorm(num_groups, channels, eps=_EPS)


def activate_in_place(normed: Tensor) -> Tensor:
    """Return the SiLU of the output of a norm, which nothing else reads.

    New memory for it would slow a decoding on a CPU by 5 to 10 %, the time to fill its pages.
    """
    return silu(normed, inplace=True)


class ResnetBlock(nn.Module):
    """Two 3x3 convolutions, each after norm and SiLU, with a residual connection."""

    def __init__(
        self, channels: int, out_channels: int, num_groups: int | None, dropout: float
    ) -> None:
        super().__init__()
        self.norm1 = build_norm(channels, num_groups)
        self.conv1 = Conv2d(channels, out_channels, 3, padding=1)
        self.norm2 = build_norm(out_channels, num_groups)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = Conv2d(out_channels, out_channels, 3, padding=1)
        self.nin_shortcut = (
            Conv2d(channels, out_channels, 1) if channels != out_channels else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C', h, w) of x (B, C, h, w)."""
        h = self.conv1(activate_in_place(self.norm1(x)))
        h = self.conv2(self.dropout(activate_in_place(self.norm2(h))))
        return self.nin_shortcut(x) + h


class Downsample(nn.Module):
    """A 3x3 convolution of stride 2, padded on the right and below only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, h / 2, w / 2) of x (B, C, h, w)."""
        return self.conv(pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Doubles the size by nearest neighbours, then convolves."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, 2 h, 2 w) of x (B, C, h, w)."""
        return self.conv(interpolate(x, scale_factor=2.0, mode="nearest"))


class TinyBlock(nn.Module):
    """Three 3x3 convolutions with ReLU between them, a residual connection, and a ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, h, w)."""
        return relu(x + self.conv(x))


class NormedTinyBlock(TinyBlock):
    """The same after a residual branch of 1x1 convolutions with a group norm over the whole map."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.pool = nn.Sequential(
            Conv2d(channels, 4 * channels, 1, bias=False),
            nn.GroupNorm(4, 4 * channels),
            nn.ReLU(),
            Conv2d(4 * channels, channels, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, h, w)."""
        return super().forward(x + self.pool(x))


class Layers(nn.Module):
    """Layers in sequence, under the key `layers`."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C', h', w') of x (B, C, h, w)."""
        return self.layers(x)
