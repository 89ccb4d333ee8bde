"""The exponential moving average of weights; a trained model ships it."""

import torch
from torch import Tensor, nn


class Ema:
    """Averages the parameters of a module and copies its buffers.

    The decay warms up as min(decay, (1 + n) / (10 + n)) over the updates n = 1, 2, ... as in the
    published code of Rombach et al., arXiv:2112.10752.

    Attributes:
        decay: Largest decay, in [0, 1).
        updates: Number of updates taken.
        weights: The average, by the names of the module's state dict.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.weights: dict[str, Tensor] = {
            name: tensor.detach().clone() for name, tensor in module.state_dict().items()
        }
        self._module = module

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the module's weights."""
        self.updates += 1
        weight = 1 - decay_at(self.updates, self.decay)
        buffers = {name for name, _ in self._module.named_buffers(remove_duplicate=False)}
        # The tensors are looked up at each update: `.to()` and an assigning load replace them.
        for name, current in self._module.state_dict().items():
            average = self.weights[name].to(current.device)
            if name in buffers:
                average.copy_(current)
            else:
                average.lerp_(current.to(average.dtype), weight)
            self.weights[name] = average

    @torch.no_grad()
    def load_state(self, weights: dict[str, Tensor], updates: int) -> None:
        """Restore an average and the number of updates that made it."""
        for name, average in self.weights.items():
            average.copy_(weights[name])
        self.updates = updates


def decay_at(update: int, decay: float) -> float:
    """Return the decay of update number `update` (from 1)."""
    return min(decay, (1 + update) / (10 + update))
