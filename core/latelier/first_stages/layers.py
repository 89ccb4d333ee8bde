"""The layers of the autoencoders of Esser et al. 2021 (arXiv:2012.09841) and Rombach et al. 2022.

Attribute names are the keys of the published checkpoints.
"""

from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from latelier.first_stages.norm import activated, group_norm


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
