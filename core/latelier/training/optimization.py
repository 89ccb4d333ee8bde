"""AdamW and its learning rate; the optimizer's state by the names of the parameters."""

from math import cos, pi
from typing import Any

import torch
from torch import Tensor, nn

from latelier.training.config import OptimizerSpec


def adamw(module: nn.Module, spec: OptimizerSpec) -> torch.optim.AdamW:
    """Return a fused AdamW (4 to 8 times the speed of a loop on a CPU) for all parameters."""
    return torch.optim.AdamW(
        module.parameters(),
        lr=spec.lr,
        betas=spec.betas,
        weight_decay=spec.weight_decay,
        fused=True,
    )


def learning_rate(spec: OptimizerSpec, step: int, steps: int) -> float:
    """Return the learning rate of step `step` (from 0): linear warm-up, then cosine decay."""
    if step < spec.warmup:
        return spec.lr * (step + 1) / spec.warmup
    done = (step - spec.warmup) / max(steps - spec.warmup, 1)
    return spec.lr * (spec.final_lr + (1 - spec.final_lr) * 0.5 * (1 + cos(pi * done)))


def optimizer_tensors(optimizer: torch.optim.Optimizer, module: nn.Module) -> dict[str, Tensor]:
    """Return the state of an optimizer as tensors named "<parameter>/<slot>"."""
    state: dict[int, dict[str, Any]] = optimizer.state_dict()["state"]
    names = [name for name, _ in module.named_parameters()]
    return {
        f"{names[index]}/{slot}": torch.as_tensor(value)
        for index, slots in state.items()
        for slot, value in slots.items()
    }


def set_optimizer_tensors(
    optimizer: torch.optim.Optimizer, module: nn.Module, tensors: dict[str, Tensor]
) -> None:
    """Take back what `optimizer_tensors` returned."""
    indices = {name: index for index, (name, _) in enumerate(module.named_parameters())}
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, slot = key.rsplit("/", 1)
        state.setdefault(indices[name], {})[slot] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
