import pytest
import torch
from torch import nn

from latelier.training.configs.optimization import OptimizerConfig
from latelier.training.optimization.optimizer import (
    get_optimizer_state,
    load_optimizer_state,
    make_adamw,
)
from latelier.training.optimization.schedule import learning_rate

SPEC = OptimizerConfig(lr=0.1, warmup=10, final_lr=0.2)


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.01), (9, 0.1), (10, 0.1), (60, 0.06), (110, 0.02)]
)
def test_learning_rate_warms_up_and_decays(step, expected):
    assert learning_rate(SPEC, step, 110) == pytest.approx(expected)


def a_step(module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    module(torch.ones(2, 3)).square().sum().backward()
    optimizer.step()


def test_optimizer_state_is_restored_from_tensors():
    torch.manual_seed(0)
    module, twin = nn.Linear(3, 2), nn.Linear(3, 2)
    optimizer, other = make_adamw(module, SPEC), make_adamw(twin, SPEC)
    a_step(module, optimizer)
    twin.load_state_dict(module.state_dict())
    tensors = get_optimizer_state(optimizer, module)
    assert {"weight/exp_avg", "bias/exp_avg_sq", "bias/step"} <= tensors.keys()
    load_optimizer_state(other, twin, {key: t.clone() for key, t in tensors.items()})
    a_step(module, optimizer)
    a_step(twin, other)
    assert torch.equal(module.weight, twin.weight)
