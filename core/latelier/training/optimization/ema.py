"""Exponential moving average (EMA) of model weights, saved with the trained model."""

import torch
from torch import Tensor, nn


class Ema:
    """Averages the parameters of a module and copies its buffers.

    The average has the precision of the parameters. Training keeps them in float32: in a 16-bit
    format an average with a high decay would stop moving.

    The decay warms up as min(max_decay, (1 + n) / (10 + n)) over the updates n = 1, 2, ... as in
    the published code of Rombach et al., arXiv:2112.10752.

    Attributes:
        max_decay: Largest decay, in [0, 1).
        updates: Number of updates so far.
        weights: The average, by the names of the module's state dict.
    """

    def __init__(self, module: nn.Module, max_decay: float) -> None:
        self.max_decay = max_decay
        self.updates = 0
        self.weights: dict[str, Tensor] = {
            name: tensor.detach().clone() for name, tensor in module.state_dict().items()
        }
        self._module = module

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the module's weights."""
        self.updates += 1
        share = 1 - decay_at(self.updates, self.max_decay)
        buffers = {name for name, _ in self._module.named_buffers(remove_duplicate=False)}
        # The tensors are looked up at each update: `.to()` and an assigning load replace them.
        for name, current in self._module.state_dict().items():
            average = self.weights[name].to(current.device)
            if name in buffers:
                average.copy_(current)
            else:
                average.lerp_(current.to(average.dtype), share)
            self.weights[name] = average

    @torch.no_grad()
    def load_state(self, weights: dict[str, Tensor], updates: int) -> None:
        """Restore a saved average and its number of updates."""
        for name, average in self.weights.items():
            average.copy_(weights[name])
        self.updates = updates


def decay_at(update: int, max_decay: float) -> float:
    """Return the decay of an update, counted from 1: min(max_decay, (1 + n) / (10 + n))."""
    return min(max_decay, (1 + update) / (10 + update))
