import pytest
import torch
from torch import nn

from latelier.training.optimization.ema import Ema, decay_at


@pytest.mark.parametrize(
    ("update", "expected"), [(1, 2 / 11), (2, 3 / 12), (90, 91 / 100), (10**6, 0.9999)]
)
def test_decay_warms_up(update, expected):
    assert decay_at(update, 0.9999) == pytest.approx(expected)


def test_average_follows_the_formula():
    module = nn.Linear(1, 1, bias=False)
    module.weight.data.fill_(1.0)
    ema = Ema(module, 0.5)
    expected = 1.0
    for update, value in enumerate([3.0, -2.0, 8.0], start=1):
        module.weight.data.fill_(value)
        ema.update()
        decay = min(0.5, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * value
        assert ema.weights["weight"].item() == pytest.approx(expected)


def test_the_average_does_not_share_memory_with_the_weights():
    module = nn.Linear(2, 2)
    ema = Ema(module, 0.9)
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
    ema = Ema(module, 0.9)
    module.num_batches_tracked.fill_(7)
    module.running_mean.fill_(3.0)
    ema.update()
    assert ema.weights["num_batches_tracked"].item() == 7
    assert ema.weights["running_mean"].tolist() == [3.0, 3.0]


def test_weights_replaced_by_an_assigning_load_are_averaged():
    module = Moving()
    ema = Ema(module, 0.0)
    module.load_state_dict({"weight": torch.ones(2), "mean": torch.ones(2)}, assign=True)
    ema.update()
    assert ema.weights["weight"].tolist() == pytest.approx([1.0, 1.0])
    assert ema.weights["mean"].tolist() == [1.0, 1.0]


def test_the_average_keeps_its_precision_when_the_module_changes():
    module = Moving()
    ema = Ema(module, 0.0)
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
    ema = Ema(module, 0.5)
    module.to("meta")
    ema.update()
    assert {average.device.type for average in ema.weights.values()} == {"meta"}


def test_a_state_is_restored():
    module = nn.Linear(2, 2)
    ema, other = Ema(module, 0.9), Ema(module, 0.9)
    module.weight.data.add_(1)
    ema.update()
    other.load_state(ema.weights, ema.updates)
    assert other.updates == 1
    assert torch.equal(other.weights["weight"], ema.weights["weight"])
