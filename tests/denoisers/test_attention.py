import math

import torch
from torch.nn import functional

from latelier.denoisers.attention import GEGLU, AttentionBlock
from latelier.denoisers.call import Call


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
