"""Counted operations."""

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from latelier.nn.flops import count_flops
from latelier.nn.packed import Conv2d, Linear


@pytest.mark.parametrize(
    ("packed", "plain", "x", "expected"),
    [
        (Conv2d(8, 6, 3, 2, 1), nn.Conv2d(8, 6, 3, 2, 1), (2, 8, 9, 9), 2 * 2 * 6 * 25 * 8 * 9),
        (Linear(7, 3), nn.Linear(7, 3), (2, 5, 7), 2 * 10 * 7 * 3),
    ],
)
def test_packed_layers_count_as_much_as_those_of_torch(packed, plain, x, expected):
    for layer in (packed, plain):
        with torch.no_grad(), count_flops() as counter:
            layer(torch.randn(x))
        assert counter.get_total_flops() == expected


def test_attention_counts_its_two_products_and_five_backward():
    q = torch.randn(1, 2, 64, 16, requires_grad=True)
    k = torch.randn(1, 2, 48, 16)
    product = 2 * 2 * 64 * 48 * 16
    with count_flops() as counter:
        out = scaled_dot_product_attention(q, k, k)
    assert counter.get_total_flops() == 2 * product
    with count_flops() as counter:
        out.sum().backward()
    assert counter.get_total_flops() == 5 * product
