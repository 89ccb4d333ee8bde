"""The layers of the tiny autoencoder. Attribute names are the keys of its checkpoints."""

from collections.abc import Iterable

from torch import Tensor, nn
from torch.nn.functional import relu


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
