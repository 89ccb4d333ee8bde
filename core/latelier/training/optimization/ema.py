"""Power-function averages of model weights (Karras et al. 2023, arXiv:2312.02696, section 3).

The average at step t weighs the weights of step tau by (tau / t)^gamma. Its decay rises with the
step, so the average always spans the same share of the run: its relative length, the standard
deviation of those weights over time in units of t.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

MAX_LENGTH = 0.28
"""The largest relative length: that of the plain mean over the run is 0.289."""


class Ema:
    """An average of the parameters of a module; buffers are copied.

    The average has the precision of the parameters. Training keeps them in float32: in a 16-bit
    format an average with a high decay would stop moving.

    Attributes:
        length: Relative length, in (0, 0.28].
        updates: Number of updates so far.
        weights: The average, by the names of the module's state dict.
    """

    def __init__(self, module: nn.Module, length: float) -> None:
        self.length = length
        self.updates = 0
        self.weights: dict[str, Tensor] = {
            name: tensor.detach().clone() for name, tensor in module.state_dict().items()
        }
        self._module = module
        self._gamma = gamma_of(length)

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the module's weights."""
        self.updates += 1
        decay = (1 - 1 / self.updates) ** (self._gamma + 1)
        buffers = {name for name, _ in self._module.named_buffers(remove_duplicate=False)}
        averages: list[Tensor] = []
        weights: list[Tensor] = []
        # The tensors are looked up at each update: `.to()` and an assigning load replace them.
        for name, current in self._module.state_dict().items():
            average = self.weights[name] = self.weights[name].to(current.device)
            if name in buffers:
                average.copy_(current)
            else:
                averages.append(average)
                weights.append(current.to(average.dtype))
        get_ema_multi_avg_fn(decay)(averages, weights, None)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def load_state(self, weights: dict[str, Tensor], updates: int) -> None:
        """Restore a saved average and its number of updates."""
        for name, average in self.weights.items():
            average.copy_(weights[name])
        self.updates = updates


def gamma_of(length: float) -> float:
    """Return the exponent gamma of an average of a relative length (eq. 126 and algorithm 2).

    The length is sqrt(gamma + 1) / ((gamma + 2) sqrt(gamma + 3)); gamma is the positive root of
    gamma^3 + 7 gamma^2 + (16 - 1 / length^2) gamma + 12 - 1 / length^2.
    """
    inverse = length**-2
    return float(np.roots([1, 7, 16 - inverse, 12 - inverse]).real.max())
