import math

import pytest
import torch
from torch.nn import functional

from latelier.denoisers.attention import GEGLU, AttentionBlock, attend
from latelier.denoisers.call import Call
from latelier.denoisers.injection import MASKED


def empty_call() -> Call:
    return Call(torch.zeros(1, 1), None, frozenset())


def test_each_head_has_its_own_q_k_and_v_in_turn() -> None:
    """The published order of the qkv channels is head by head: q0 k0 v0 q1 k1 v1."""
    torch.manual_seed(0)
    block = AttentionBlock(16, heads=2, groups=4, name="b")
    torch.nn.init.normal_(block.proj_out.weight)
    x = torch.randn(1, 16, 2, 3)
    with torch.no_grad():
        qkv = block.qkv(block.norm(x).flatten(2))[0]  # (48, 6)
        heads = []
        for head in qkv.split(24):
            q, k, v = head.split(8)
            weights = torch.softmax(q.T @ k / math.sqrt(8), dim=1)  # (queries, keys)
            heads.append(v @ weights.T)
        expected = x + block.proj_out(torch.cat(heads)[None]).view_as(x)
        torch.testing.assert_close(block(x, empty_call()), expected)


def test_the_gate_is_the_second_half() -> None:
    unit = GEGLU(3, 2)
    x = torch.randn(1, 4, 3)
    value, gate = unit.proj(x).split(2, dim=2)
    torch.testing.assert_close(unit(x), value * functional.gelu(gate))


@pytest.mark.parametrize("with_bias", [False, True])
def test_in_16_bits_training_gives_what_the_fused_kernel_gives(with_bias: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    exact = [torch.randn(2, 2, n, 8, generator=generator) for n in (6, 5, 5)]
    bias = torch.where(torch.arange(5) < 3, 0, MASKED).expand(2, 1, 1, 5) if with_bias else None
    inputs = [part.bfloat16().requires_grad_() for part in exact]
    references = [part.detach().float().requires_grad_() for part in inputs]
    result = attend(*inputs, bias)
    expected = functional.scaled_dot_product_attention(*references, bias)
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.float(), expected, rtol=0.03, atol=0.03)
    result.square().sum().backward()
    expected.square().sum().backward()
    for part, reference in zip(inputs, references, strict=True):
        assert part.grad is not None
        assert reference.grad is not None
        torch.testing.assert_close(part.grad.float(), reference.grad, rtol=0.1, atol=0.1)
    if with_bias:
        assert inputs[2].grad is not None
        assert inputs[2].grad[:, :, 3:].abs().max() == 0
