"""Copies in another precision share weights, and compute what copies of all weights compute."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from latelier.nn.packed import Linear
from latelier.nn.stored_weights import Embedding, copy_sharing_weights, find_compute_dtype


@pytest.fixture
def stored() -> nn.Module:
    """Return a module in float16: layers whose weights are shared, and others."""
    torch.manual_seed(0)
    layers = Embedding(7, 6), nn.LayerNorm(6), Linear(6, 5), nn.LayerNorm(5), nn.Linear(5, 4)
    return nn.Sequential(*layers).half().requires_grad_(False)


def test_the_layers_share_their_weights_alone(stored: nn.Sequential) -> None:
    copy = copy_sharing_weights(stored, torch.bfloat16)
    shared = {"0.weight", "2.weight"}
    before, after = dict(stored.named_parameters()), dict(copy.named_parameters())
    assert {name for name, each in after.items() if each is before[name]} == shared
    assert {each.dtype for name, each in after.items() if name not in shared} == {torch.bfloat16}
    assert {each.dtype for each in before.values()} == {torch.float16}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_copy_computes_what_one_of_all_weights_computes(
    stored: nn.Sequential, dtype: torch.dtype
) -> None:
    ids = torch.arange(7)
    expected = deepcopy(stored).to(dtype)(ids)
    assert torch.equal(copy_sharing_weights(stored, dtype)(ids), expected)


def test_rows_of_a_table_are_cast_and_not_the_table() -> None:
    table = Embedding(1000, 4).half().requires_grad_(False)
    copy = copy_sharing_weights(table, torch.bfloat16)
    ids = torch.tensor([[3, 999]])
    assert torch.equal(copy(ids), table.weight.bfloat16()[ids])
    assert copy.weight is table.weight


def test_a_module_knows_the_precision_that_it_computes_in(stored: nn.Sequential) -> None:
    assert find_compute_dtype(stored) == torch.float16
    assert find_compute_dtype(copy_sharing_weights(stored, torch.bfloat16)) == torch.bfloat16
    assert find_compute_dtype(nn.ReLU()) == torch.float32
