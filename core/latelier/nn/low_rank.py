"""Low-rank changes of layers (LoRA, Hu et al. 2021, arXiv:2106.09685).

The layer y = W x + b becomes y = W x + b + scale * (alpha / r) * B A x. A, called "down", maps to r
numbers, the rank, and B, called "up", maps them to the layer's output. For a convolution A has the
layer's kernel, stride and padding, and B the kernel size 1 (LoCon).
"""

import math
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, conv2d, linear

ChangeableLayer: TypeAlias = nn.Linear | nn.Conv1d | nn.Conv2d
"""A layer that can have a low-rank change."""


class LowRank(nn.Module):
    """The low-rank change of the weight of one layer.

    Attributes:
        down: A, (r, C_in, *kernel).
        up: B, (C_out, r).
        alpha: the change is scaled by alpha / r.
        strength: multiplies the change; 1 as trained.
        dropout: of the input of A, while training.
    """

    def __init__(self, down: Tensor, up: Tensor, alpha: float, dropout: float = 0.0) -> None:
        super().__init__()
        self.down = nn.Parameter(down)
        self.up = nn.Parameter(up)
        self.alpha = alpha
        self.strength = 1.0
        self.dropout = nn.Dropout(dropout)

    @property
    def rank(self) -> int:
        """The rank r."""
        return len(self.down)

    @property
    def scale(self) -> float:
        """What B A is multiplied by."""
        return self.strength * self.alpha / self.rank

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weight that it changes, (C_out, C_in, *kernel)."""
        return len(self.up), *self.down.shape[1:]

    def difference(self, _weight: Tensor) -> Tensor:
        """Return the change of the weight, (C_out, C_in, *kernel), in the precision of A and B."""
        with torch.autocast(self.down.device.type, enabled=False):
            product = self.up @ self.down.flatten(1)
            return self.scale * product.view(self.shape)


class LowRankLayer(nn.Module):
    """A layer with a low-rank change, which shares the weights of the unchanged layer.

    The change is no submodule: it has an owner of its own, which is trained and sharded apart.

    Attributes:
        base: the unchanged layer.
    """

    def __init__(self, base: ChangeableLayer, change: LowRank) -> None:
        super().__init__()
        self.base = base
        self._change = (change,)

    @property
    def change(self) -> LowRank:
        """The change of the layer's weight."""
        return self._change[0]

    @property
    def weight(self) -> Tensor:
        """The changed weight, for layers that multiply by it themselves."""
        return self.base.weight + self.change.difference(self.base.weight)

    @property
    def bias(self) -> Tensor | None:
        """The bias, which does not change."""
        return self.base.bias

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the changed layer."""
        change = self.change
        low = _multiply(self.base, change.dropout(x), change.down)
        kernel = (1,) * (change.down.ndim - 2)
        up = change.up.view(*change.up.shape, *kernel)
        return self.base(x) + change.scale * _PRODUCTS[change.down.ndim](low, up)


def create_low_rank(
    layer: ChangeableLayer, rank: int, alpha: float, dropout: float = 0.0
) -> LowRank:
    """Return a new change of a layer, without effect: B starts at zero (section 4.1)."""
    down = torch.empty(rank, *layer.weight.shape[1:])
    nn.init.kaiming_uniform_(down, a=math.sqrt(5))
    return LowRank(down, torch.zeros(len(layer.weight), rank), alpha, dropout)


def max_rank(layer: ChangeableLayer) -> int:
    """Return the rank above which a change has more numbers than it can use."""
    return min(len(layer.weight), layer.weight[0].numel())


_PRODUCTS: dict[int, Any] = {2: linear, 3: conv1d, 4: conv2d}
"""Dimensions of a weight -> the product with it."""


def _multiply(layer: ChangeableLayer, x: Tensor, weight: Tensor) -> Tensor:
    """Return the product of x and a weight at the layer's stride and padding, without bias."""
    product = _PRODUCTS[weight.ndim]
    if isinstance(layer, nn.Linear):
        return product(x, weight)
    return product(x, weight, None, layer.stride, layer.padding, layer.dilation)
