import pytest
import torch
from torch import nn

from latelier.training.ema import Ema, decay_at


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


def test_average_is_no_view_of_the_weights():
    module = nn.Linear(2, 2)
    ema = Ema(module, 0.9)
    before = ema.weights["weight"].clone()
    module.weight.data.add_(1)
    assert torch.equal(ema.weights["weight"], before)


def test_whole_number_buffers_are_copied():
    module = nn.BatchNorm1d(2)
    ema = Ema(module, 0.9)
    module.num_batches_tracked.fill_(7)
    ema.update()
    assert ema.weights["num_batches_tracked"].item() == 7
