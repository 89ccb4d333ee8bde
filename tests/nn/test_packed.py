"""Packed layers compute what torch's own layers compute, also after their weights have changed."""

import pickle
from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from latelier.nn.packed import Conv1d, Conv2d, Linear, PackedWeight, adopt_layers, project
from latelier.nn.stored_weights import Embedding, copy_sharing_weights

LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: Linear(6, 5), (2, 3, 6)),
    "linear without bias": (lambda: Linear(6, 5, bias=False), (3, 6)),
    "3 x 3": (lambda: Conv2d(4, 8, 3, padding=1), (2, 4, 7, 5)),
    "3 x 3, stride 2": (lambda: Conv2d(4, 8, 3, 2, 1), (2, 4, 6, 6)),
    "1 x 1 without bias": (lambda: Conv2d(4, 8, 1, bias=False), (2, 4, 3, 3)),
}


def plain_result(layer: nn.Module, x: Tensor) -> Tensor:
    """Return what torch's own layer of the same weights returns."""
    if isinstance(layer, nn.Linear):
        return functional.linear(x, layer.weight, layer.bias)
    assert isinstance(layer, nn.Conv2d)
    return nn.Conv2d.forward(layer, x)


@pytest.fixture(params=LAYERS)
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, Tensor]:
    """Return a layer for inference, and an input."""
    torch.manual_seed(0)
    build, shape = LAYERS[request.param]
    return build().requires_grad_(False), torch.randn(shape)


def assert_right(layer: nn.Module, x: Tensor) -> None:
    bound = 1e-5 if x.dtype == torch.float32 else 2e-2
    torch.testing.assert_close(layer(x), plain_result(layer, x), rtol=bound, atol=bound)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_output_is_that_of_the_plain_layer(
    case: tuple[nn.Module, Tensor], dtype: torch.dtype
) -> None:
    layer, x = case
    layer.to(dtype)
    for _ in range(2):  # the second call has the packed weight
        assert_right(layer, x.to(dtype))
    assert_right(layer, x[:0].to(dtype))


def test_a_changed_weight_is_packed_anew(case: tuple[nn.Module, Tensor]) -> None:
    layer, x = case
    layer(x)
    layer.weight.mul_(2)
    assert_right(layer, x)
    layer.weight.data = layer.weight.data + 1
    assert_right(layer, x)
    layer.weight = nn.Parameter(layer.weight - 3, requires_grad=False)
    assert_right(layer, x)


def test_copies_have_packed_weights_of_their_own(case: tuple[nn.Module, Tensor]) -> None:
    layer, x = case
    before = layer(x)
    for copy in (deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        copy.weight.zero_()
        assert_right(copy, x)
        assert torch.equal(layer(x), before)


def test_weights_of_inference_mode_are_packed(case: tuple[nn.Module, Tensor]) -> None:
    layer, x = case
    with torch.inference_mode():
        layer.weight = nn.Parameter(layer.weight * 2, requires_grad=False)
        assert_right(layer, x)


def test_gradients_and_autocast_are_those_of_the_plain_layer(
    case: tuple[nn.Module, Tensor],
) -> None:
    layer, x = case
    layer(x)  # packs the weight
    gradients = []
    for function in (layer, lambda each: plain_result(layer, each)):
        leaf = x.clone().requires_grad_()
        function(leaf).square().sum().backward()
        gradients.append(leaf.grad)
    assert torch.equal(*gradients)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16


def test_convolutions_of_size_1_project_tokens() -> None:
    torch.manual_seed(0)
    tokens = torch.randn(2, 5, 4)
    for layer in (Conv1d(4, 6, 1), Conv2d(4, 6, 1), Linear(4, 6), nn.Conv2d(4, 6, 1)):
        layer.requires_grad_(False)
        expected = functional.linear(tokens, layer.weight.flatten(1), layer.bias)
        torch.testing.assert_close(project(tokens, layer), expected, rtol=1e-5, atol=1e-5)


def test_a_packed_convolution_is_channels_last() -> None:
    layer = Conv2d(4, 8, 3, padding=1).requires_grad_(False)
    assert layer(torch.randn(2, 4, 6, 6)).is_contiguous(memory_format=torch.channels_last)


def test_a_weight_of_another_precision_is_cast(case: tuple[nn.Module, Tensor]) -> None:
    layer, x = case
    x = x.bfloat16()
    if layer.bias is not None:
        layer.bias.data = layer.bias.data.bfloat16()
    result = layer(x)
    leaf = x.clone().requires_grad_()
    with_gradient = layer(leaf)
    layer.weight.data = layer.weight.data.bfloat16()
    for found in (result, with_gradient):
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found, plain_result(layer, x), rtol=2e-2, atol=2e-2)


def test_a_layer_casts_its_input_to_the_precision_it_computes_in(
    case: tuple[nn.Module, Tensor],
) -> None:
    layer, x = case
    stored = deepcopy(layer).half()
    copy = copy_sharing_weights(stored, torch.bfloat16)
    assert copy.weight is stored.weight
    expected = plain_result(deepcopy(stored).bfloat16(), x.bfloat16())
    for given in (x, x.half(), x.bfloat16(), x.clone().requires_grad_()):
        found = copy(given)
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found, expected, rtol=2e-2, atol=2e-2)


def test_layers_of_other_libraries_are_adopted() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Embedding(7, 6), nn.Sequential(nn.Linear(6, 5)), nn.Conv1d(5, 5, 1))
    module.requires_grad_(False)
    plain = deepcopy(module)
    adopt_layers(module)
    assert [type(each) for each in module.modules()] == [
        nn.Sequential,
        Embedding,
        nn.Sequential,
        Linear,
        nn.Conv1d,
    ]
    ids = torch.arange(5)
    torch.testing.assert_close(module[:2](ids), plain[:2](ids), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels", [8, 192])
def test_bits_do_not_depend_on_earlier_calls(channels: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layers = [Conv2d(channels, channels, 3, padding=1), Linear(channels, channels)]
    for layer in layers:
        layer.to(dtype).requires_grad_(False)
        other = deepcopy(layer)
        for rows, side in ((1, 4), (2, 16), (16, 32), (2, 8)):
            x = torch.randn(rows, channels, side, side).to(dtype)
            x = x if isinstance(layer, Conv2d) else x.flatten(1).view(-1, channels)
            layer(x)
        assert torch.equal(layer(x), other(x))


def test_calls_of_many_sizes_share_packed_copies() -> None:
    layer = Conv2d(8, 8, 3, padding=1).requires_grad_(False)
    for rows in range(1, 6):
        layer(torch.randn(rows, 8, 8, 8))
    copies = vars(layer.weight)["packed"]._copies.values()
    assert len(copies) == 5
    assert len({id(each) for each in copies}) <= 2


def test_threads_may_add_copies_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    packed, weight = PackedWeight(), torch.randn(4, 4)
    sizes = iter(range(10, 20))

    def add(a: Tensor, _b: Tensor) -> bool:
        """Return that two copies differ, after another thread has added one."""
        packed._copies[next(sizes)] = a
        return False

    monkeypatch.setattr("latelier.nn.packed._have_same_order", add)
    for size in (1, 2, 3):
        found = packed.get(weight, torch.float32, [size], torch.clone)
        assert torch.equal(found, weight)
