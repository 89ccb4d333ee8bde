"""The layers of the autoencoders of Esser et al. 2021 (arXiv:2012.09841) and Rombach et al. 2022.

Attribute names are the keys of the published checkpoints.
"""

from collections.abc import Iterable

from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, relu, silu


def group_norm(channels: int, num_groups: int) -> nn.GroupNorm:
    """Return the norm used throughout; its epsilon is not torch's default."""
    return nn.GroupNorm(num_groups, channels, eps=1e-6)


def activated(normed: Tensor) -> Tensor:
    """Return the SiLU of what a norm gave, in its place: nothing else reads that.

    New memory for it would cost 5 to 10 % of a decoding on a CPU, the time to fill its pages.
    """
    return silu(normed, inplace=True)


class TinyBlock(nn.Module):
    """Three 3x3 convolutions with ReLU between them, added to the input, and a ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        return relu(x + self.conv(x))


class Layers(nn.Module):
    """Layers one after the other, under the key `layers`."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C', h', w')."""
        out: Tensor = self.layers(x)
        return out


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
        h = self.conv1(activated(self.norm1(x)))
        h = self.conv2(self.dropout(activated(self.norm2(h))))
        out: Tensor = self.nin_shortcut(x) + h
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
