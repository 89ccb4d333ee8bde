"""Networks with compiled blocks compute what they compute without; each kind is compiled once."""

import logging
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from latelier.nn.attention import attend, merge_heads, split_heads
from latelier.nn.compilation import compile_blocks, find_blocks, is_compiled
from latelier.nn.layers import EncoderLayer
from latelier.nn.packed import Conv2d, Linear
from latelier.nn.views import replace_weights


class Block(nn.Module):
    """A convolution and an attention."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = Conv2d(width, width, 3, padding=1)
        self.qkv = Linear(width, 3 * width)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] != self.conv.in_channels:
            raise ValueError("wrong width")
        x = x + self.conv(x).relu()
        tokens = x.flatten(2).mT  # (B, N, C)
        q, k, v = (split_heads(part, 2) for part in self.qkv(tokens).chunk(3, dim=2))
        return x + merge_heads(attend(q, k, v)).mT.view(x.shape)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(4), Block(4), Block(4)])
        self.widen = Conv2d(4, 8, 1)
        self.wide = Block(8)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.wide(self.widen(x))


class Stage(nn.Module):
    """A norm, and a list of layers."""

    def __init__(self, layers: nn.ModuleList) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.layers = layers


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network().eval().requires_grad_(False)


@pytest.fixture
def compiled_graphs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Compile to graphs of the operations, which takes no compiler, and return these graphs."""
    graphs: list[Any] = []

    def backend(graph: Any, inputs: Any, **_: Any) -> Callable[..., Any]:
        from torch._dynamo.backends.debugging import aot_eager

        graphs.append(graph)
        compiled: Callable[..., Any] = aot_eager(graph, inputs)
        return compiled

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    return graphs


@torch.no_grad()
def run(network: nn.Module, *sizes: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    result: Tensor = network(torch.randn(*sizes, generator=generator).to(dtype))
    return result


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_output_is_that_of_the_network(
    network: Network, compiled_graphs: list[Any], dtype: torch.dtype
) -> None:
    network.to(dtype)
    expected = run(network, 2, 4, 6, 6, dtype=dtype)
    compile_blocks(network)
    bound = 1e-5 if dtype == torch.float32 else 2e-2
    for _ in range(2):
        result = run(network, 2, 4, 6, 6, dtype=dtype)
        torch.testing.assert_close(result, expected, rtol=bound, atol=bound)
    assert is_compiled(network)
    operations = " ".join(str(node.target) for node in compiled_graphs[0].graph.nodes)
    assert "latelier.project" in operations
    assert "latelier.convolve" in operations
    assert ("latelier.attend" in operations) == (dtype == torch.bfloat16)


def test_each_kind_of_block_is_compiled_once_and_then_for_all_sizes(
    network: Network, compiled_graphs: list[Any]
) -> None:
    compile_blocks(network)
    run(network, 2, 4, 6, 6)
    assert len(compiled_graphs) == 2
    for sizes in ((5, 4, 8, 6), (7, 4, 4, 10), (2, 4, 12, 6), (2, 4, 6, 6), (3, 4, 8, 8)):
        run(network, *sizes)
        assert len(compiled_graphs) == 4


def test_copies_and_views_are_compiled_with_their_own_weights(
    network: Network, compiled_graphs: list[Any]
) -> None:
    weights = {"blocks.1.qkv.weight": network.get_parameter("blocks.1.qkv.weight") * 2}
    expected = run(replace_weights(network, weights), 2, 4, 6, 6)
    compile_blocks(network)
    before = run(network, 2, 4, 6, 6)
    view, copy = replace_weights(network, weights), deepcopy(network)
    copy.wide.conv.weight.zero_()
    torch.testing.assert_close(run(view, 2, 4, 6, 6), expected, rtol=1e-5, atol=1e-5)
    assert is_compiled(view)
    assert not torch.allclose(run(copy, 2, 4, 6, 6), before)
    assert torch.equal(run(network, 2, 4, 6, 6), before)
    assert len(compiled_graphs) == 2


def test_a_block_that_cannot_be_compiled_runs_as_it_is(
    network: Network, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_graph: Any, _inputs: Any, **_: Any) -> None:
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=fail))
    expected = run(network, 2, 4, 6, 6)
    compile_blocks(network)
    with caplog.at_level(logging.WARNING, "latelier"):
        assert torch.equal(run(network, 2, 4, 6, 6), expected)
        assert torch.equal(run(network, 2, 4, 6, 6), expected)
    [record] = [each for each in caplog.records if each.name == "latelier.nn.compilation"]
    assert "no C++ compiler" in record.getMessage()
    assert not is_compiled(network)


def test_errors_of_a_block_are_its_own(network: Network, compiled_graphs: list[Any]) -> None:
    compile_blocks(network)
    with pytest.raises(ValueError, match="wrong width"), torch.no_grad():
        network.wide(torch.zeros(1, 4, 6, 6))


def test_gradients_take_the_network_as_it_is(network: Network, compiled_graphs: list[Any]) -> None:
    compile_blocks(network)
    x = torch.randn(2, 4, 6, 6, requires_grad=True)
    network(x).sum().backward()
    assert x.grad is not None
    assert not compiled_graphs


def test_blocks_are_outermost_modules_of_a_class_that_occurs_again(network: Network) -> None:
    assert find_blocks(network) == [*network.blocks, network.wide]
    lists = [nn.ModuleList([EncoderLayer(4, 2), EncoderLayer(4, 2)]) for _ in range(2)]
    nested = nn.ModuleList([Stage(each) for each in lists])
    assert find_blocks(nested) == [*lists[0], *lists[1]]
    assert not find_blocks(nn.Sequential(Linear(4, 4), Linear(4, 4)))


def test_a_network_without_repeated_blocks_says_so(caplog: pytest.LogCaptureFixture) -> None:
    network = nn.Sequential(Linear(4, 4), nn.ReLU()).requires_grad_(False)
    compile_blocks(network)
    assert "no block in it is repeated" in caplog.text
    assert run(network, 2, 4).shape == (2, 4)
    assert not is_compiled(network)


def test_a_network_is_not_compiled_by_itself(network: Network) -> None:
    assert not is_compiled(network)
