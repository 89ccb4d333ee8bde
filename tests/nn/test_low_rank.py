"""Low-rank layers: y = W x + b + scale * alpha / r * B A x (arXiv:2106.09685)."""

import pytest
import torch
from torch import nn

from latelier.nn.low_rank import LowRank, LowRankLayer, create_low_rank, max_rank

LAYERS = {
    "linear": (lambda: nn.Linear(5, 7), (2, 3, 5)),
    "linear without bias": (lambda: nn.Linear(5, 7, bias=False), (2, 5)),
    "convolution of one dimension": (lambda: nn.Conv1d(4, 6, 1), (2, 4, 9)),
    "convolution": (lambda: nn.Conv2d(4, 6, 3, padding=1), (2, 4, 8, 8)),
    "convolution of size 1": (lambda: nn.Conv2d(4, 6, 1), (2, 4, 8, 8)),
    "strided convolution": (lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1), (2, 4, 8, 8)),
}


@pytest.fixture(params=LAYERS)
def case(request):
    torch.manual_seed(0)
    build, shape = LAYERS[request.param]
    layer = build()
    down = torch.randn(2, *layer.weight.shape[1:])
    up = torch.randn(len(layer.weight), 2)
    return layer, LowRank(down, up, alpha=3.0), torch.randn(shape)


def test_the_output_is_that_of_the_changed_weight(case):
    layer, change, x = case
    changed = LowRankLayer(layer, change)
    product = torch.einsum("or,r...->o...", change.up, change.down)
    torch.testing.assert_close(change.difference(torch.zeros(change.shape)), 3.0 / 2 * product)
    found = changed(x)
    with torch.no_grad():
        layer.weight.add_(change.difference(torch.zeros(change.shape)))
    torch.testing.assert_close(found, layer(x), rtol=1e-5, atol=1e-5)
    assert changed.bias is layer.bias


def test_the_weight_has_the_gradient_of_the_layer(case):
    layer, change, x = case
    changed = LowRankLayer(layer, change)
    changed(x).square().sum().backward()
    wanted = change.down.grad.clone(), change.up.grad.clone()
    change.zero_grad()
    functional = torch.func.functional_call(layer, {"weight": changed.weight}, x)
    functional.square().sum().backward()
    for found, expected in zip((change.down.grad, change.up.grad), wanted, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_new_change_has_no_effect_and_a_gradient(case):
    layer, _, x = case
    change = create_low_rank(layer, rank=3, alpha=3.0)
    changed = LowRankLayer(layer, change)
    assert torch.equal(changed(x), layer(x))
    changed(x).square().sum().backward()
    assert change.up.grad.abs().max() > 0
    assert change.rank == 3


def test_the_strength_scales_the_change(case):
    layer, change, x = case
    changed = LowRankLayer(layer, change)
    whole = changed(x) - layer(x)
    change.strength = -0.5
    torch.testing.assert_close(changed(x) - layer(x), -0.5 * whole, rtol=1e-4, atol=1e-5)


def test_dropout_is_of_training_alone():
    layer, x = nn.Linear(64, 4), torch.ones(1, 64)
    change = LowRank(torch.ones(1, 64), torch.ones(4, 1), alpha=1.0, dropout=0.5)
    changed = LowRankLayer(layer, change)
    assert not torch.equal(changed(x), changed(x))
    changed.eval()
    torch.testing.assert_close(changed(x) - layer(x), torch.full((1, 4), 64.0))


def test_the_change_is_exact_under_autocast():
    change = LowRank(torch.randn(2, 8), torch.randn(8, 2), alpha=2.0)
    exact = change.difference(torch.zeros(change.shape))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(change.difference(torch.zeros(change.shape)), exact)


@pytest.mark.parametrize(
    ("layer", "rank"),
    [(nn.Linear(5, 7), 5), (nn.Conv2d(4, 6, 3), 6), (nn.Conv2d(1, 60, 3), 9)],
)
def test_the_largest_useful_rank(layer, rank):
    assert max_rank(layer) == rank
