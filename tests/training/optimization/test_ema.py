import pytest
import torch
from torch import nn

from latelier.training.optimization.ema import Ema, gamma_of


@pytest.mark.parametrize("length", [0.02, 0.05, 0.1, 0.25])
def test_an_average_has_its_relative_length(length):
    """The standard deviation over time of a profile tau^gamma on [0, 1]."""
    gamma = gamma_of(length)
    tau = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    share = tau**gamma / (tau**gamma).sum()
    mean = (share * tau).sum()
    assert (share * (tau - mean) ** 2).sum().sqrt().item() == pytest.approx(length, rel=1e-3)


def test_an_average_weighs_each_step_by_its_power():
    module = nn.Linear(1, 1, bias=False)
    ema, steps = Ema(module, 0.1), 400
    gamma = gamma_of(0.1)
    values = torch.sin(torch.arange(1.0, steps + 1) / 30)
    for value in values:
        module.weight.data.fill_(value)
        ema.update()
    weights = torch.arange(1.0, steps + 1) ** gamma
    expected = (weights * values).sum() / weights.sum()
    assert ema.weights["weight"].item() == pytest.approx(expected.item(), abs=0.01)


def test_the_first_update_takes_the_weights():
    module = nn.Linear(2, 2)
    ema = Ema(module, 0.1)
    module.weight.data.fill_(5.0)
    ema.update()
    assert torch.equal(ema.weights["weight"], module.weight)


def test_the_average_does_not_share_memory_with_the_weights():
    module = nn.Linear(2, 2)
    ema = Ema(module, 0.1)
    before = ema.weights["weight"].clone()
    module.weight.data.add_(1)
    assert torch.equal(ema.weights["weight"], before)


class Moving(nn.Module):
    """A parameter and a floating-point buffer."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))
        self.register_buffer("mean", torch.zeros(2))


def test_buffers_are_copied_whatever_their_dtype():
    module = nn.BatchNorm1d(2)
    ema = Ema(module, 0.1)
    module.num_batches_tracked.fill_(7)
    module.running_mean.fill_(3.0)
    ema.update()
    assert ema.weights["num_batches_tracked"].item() == 7
    assert ema.weights["running_mean"].tolist() == [3.0, 3.0]


def test_weights_replaced_by_an_assigning_load_are_averaged():
    module = Moving()
    ema = Ema(module, 0.1)
    module.load_state_dict({"weight": torch.ones(2), "mean": torch.ones(2)}, assign=True)
    ema.update()
    assert ema.weights["weight"].tolist() == pytest.approx([1.0, 1.0])
    assert ema.weights["mean"].tolist() == [1.0, 1.0]


def test_the_average_keeps_its_precision_when_the_module_changes():
    module = Moving()
    ema = Ema(module, 0.1)
    module.to(torch.float64)
    with torch.no_grad():
        module.weight.fill_(1.0)
        module.mean.fill_(2.0)
    ema.update()
    assert ema.weights["weight"].tolist() == [1.0, 1.0]
    assert ema.weights["mean"].tolist() == [2.0, 2.0]
    assert ema.weights["weight"].dtype == torch.float32


def test_the_average_moves_to_the_modules_device():
    module = Moving()
    ema = Ema(module, 0.1)
    module.to("meta")
    ema.update()
    assert {average.device.type for average in ema.weights.values()} == {"meta"}


def test_a_state_is_restored():
    module = nn.Linear(2, 2)
    ema, other = Ema(module, 0.1), Ema(module, 0.1)
    module.weight.data.add_(1)
    ema.update()
    other.load_state(ema.weights, ema.updates)
    assert other.updates == 1
    assert torch.equal(other.weights["weight"], ema.weights["weight"])
