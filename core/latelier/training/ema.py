"""The exponential moving average of weights, which is what a trained model ships."""

import torch
from torch import Tensor, nn


class Ema:
    """Averages the trainable parameters of a module; buffers are copied.

    The decay warms up as min(decay, (1 + n) / (10 + n)) over the updates n, counted from 1
    (Rombach et al. 2022, as in the published code).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._live: dict[str, Tensor] = dict(module.state_dict(keep_vars=True))
        self.weights: dict[str, Tensor] = {
            name: tensor.detach().clone() for name, tensor in self._live.items()
        }

    @torch.no_grad()
    def update(self) -> None:
        """Take one step towards the module's weights."""
        self.updates += 1
        weight = 1 - decay_at(self.updates, self.decay)
        for name, average in self.weights.items():
            if average.is_floating_point():
                average.lerp_(self._live[name], weight)
            else:
                average.copy_(self._live[name])

    @torch.no_grad()
    def set(self, weights: dict[str, Tensor], updates: int) -> None:
        """Take back `weights` and the number of updates that made them."""
        for name, tensor in self.weights.items():
            tensor.copy_(weights[name])
        self.updates = updates


def decay_at(update: int, decay: float) -> float:
    """Return the decay of update number `update` (from 1)."""
    return min(decay, (1 + update) / (10 + update))
