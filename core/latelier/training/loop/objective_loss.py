"""The call of an objective, as the module that devices are set up for."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from latelier.training.configs.optimization import Precision
from latelier.training.configs.training import Training
from latelier.training.devices.blocks import compile_blocks
from latelier.training.devices.precision import autocast
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


def prepare_objective(objective: Objective, config: Training) -> None:
    """Freeze what nobody optimizes, and set the memory format and compilation."""
    optimized = {id(each) for module in objective.players.values() for each in module.parameters()}
    for parameter in objective.parameters():
        if id(parameter) not in optimized:
            parameter.requires_grad_(False)
    if config.channels_last:
        objective.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if config.compile:
        compile_blocks(objective)
