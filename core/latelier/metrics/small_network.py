"""The layers of the small network that measures scenes, and the file of its weights."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from torch import Tensor, nn
from torch.nn.functional import relu

from latelier.checkpoints.io.weights import load_into, meta_device, read_weights, write_weights

N = TypeVar("N", bound=nn.Module)


class Convolution(nn.Module):
    """A convolution, batch norm and ReLU. It maps (B, C, h, w) to (B, C', h / stride, w / stride).

    With a kernel of the size of the stride it sees patches, which do not overlap.
    """

    def __init__(self, before: int, after: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        padding = 0 if kernel == stride else kernel // 2
        self.conv = nn.Conv2d(before, after, kernel, stride, padding, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, h: Tensor) -> Tensor:
        return relu(self.norm(self.conv(h)))


class Residual(nn.Module):
    """A 3x3 convolution and batch norm with a residual connection, and ReLU.

    The taps of the convolution are `dilation` apart (arXiv:1511.07122).
    """

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            channels, channels, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, h: Tensor) -> Tensor:
        return relu(h + self.norm(self.conv(h)))


def save_network(path: Path, network: nn.Module) -> str:
    """Write the parameters in float16 and the running statistics as they are; return SHA-256."""
    parameters = {name for name, _ in network.named_parameters()}
    state = network.state_dict()
    return write_weights(
        path, {name: each.half() if name in parameters else each for name, each in state.items()}
    )


def load_network(path: Path, build: Callable[[], N]) -> N:
    """Return a network with the weights of `save_network` in float32, in evaluation mode.

    Raises:
        ModelFileError: the file is missing, damaged or of another module.
    """
    with meta_device():
        network = build()
    load_into(network, read_weights(path), str(path))
    return network.float().eval().requires_grad_(False)
