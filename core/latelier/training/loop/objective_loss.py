"""The call of an objective, as the module that devices are set up for."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from latelier.training.configs.optimization import Precision
from latelier.training.loop.precision import autocast
from latelier.training.objective import Objective


class ObjectiveLoss(nn.Module):
    """Computes the losses of an objective in a precision.

    Wrappers that split a training among devices act on this forward: nothing else of the objective
    may be called for a loss.
    """

    def __init__(self, objective: Objective, precision: Precision) -> None:
        super().__init__()
        self.objective = objective
        self._precision: Precision = precision

    def forward(self, batch: Mapping[str, Any], step: int, player: str) -> dict[str, Tensor]:
        """Return the losses in float32; only "loss" has a gradient."""
        with autocast(self._precision, next(self.parameters()).device):
            terms = self.objective(batch, step, player)
        return {
            name: value.float() if name == "loss" else value.detach().float()
            for name, value in terms.items()
        }


def freeze_all_but_players(objective: Objective) -> None:
    """Let no gradient be computed for parameters that nobody optimizes."""
    optimized = {id(each) for module in objective.players.values() for each in module.parameters()}
    for parameter in objective.parameters():
        if id(parameter) not in optimized:
            parameter.requires_grad_(False)


def set_memory_format(module: nn.Module, *, channels_last: bool) -> None:
    """Store the weights of convolutions with their channels last, if asked for."""
    if channels_last:
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
