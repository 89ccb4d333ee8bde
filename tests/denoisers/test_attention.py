import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from latelier.contracts.condition import Condition, Stream
from latelier.denoisers.attention import AttentionBlock
from latelier.denoisers.forward_context import ForwardContext
from latelier.denoisers.spatial_transformer import GEGLU
from latelier.nn import attention


def empty_context() -> ForwardContext:
    return ForwardContext(torch.zeros(1), torch.zeros(1, 1))


def test_qkv_is_interleaved_per_head() -> None:
    """The published order of the qkv channels is head by head: q0 k0 v0 q1 k1 v1."""
    torch.manual_seed(0)
    block = AttentionBlock(16, heads=2, groups=4)
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
        torch.testing.assert_close(block(x, empty_context()), expected)


def test_geglu_gates_with_the_second_half() -> None:
    unit = GEGLU(3, 2)
    x = torch.randn(1, 4, 3, requires_grad=True)
    value, gate = unit.proj(x).split(2, dim=2)
    expected = value * functional.gelu(gate)
    torch.testing.assert_close(unit(x), expected)
    gradients = [torch.autograd.grad(y.square().sum(), x) for y in (unit(x), expected)]
    torch.testing.assert_close(*gradients)


class Largest(TorchDispatchMode):
    """Records the number of elements of the largest tensor."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in result if isinstance(result, tuple) else (result,):
            if isinstance(each, Tensor):
                self.numbers = max(self.numbers, each.numel())
        return result


POSITIONS = 1024


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["unet", "unet without context", "transformer"])
def test_no_tensor_holds_the_weights_of_all_pairs_of_positions(
    small_unet: Any,
    small_transformer: Any,
    kind: str,
    dtype: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """512 x 512 pixels have 4096 positions, whose pairs would take half a GB."""
    monkeypatch.setattr(attention, "BLOCK", POSITIONS**2 // 16)
    stream = {"context_dim": 8, "streams": {"text": {"width": 8, "injection": "native"}}}
    model = {
        "unet": lambda: small_unet(**stream, channel_mult=(1,), attention_resolutions=(1,)),
        "unet without context": lambda: small_unet(channel_mult=(1,), attention_resolutions=(1,)),
        "transformer": lambda: small_transformer(**stream, patch_size=1),
    }[kind]()
    mask = torch.tensor([[True, True, False]])
    condition = Condition({"text": Stream(torch.zeros(1, 3, 8), mask)})
    condition = Condition() if kind == "unet without context" else condition
    model, x = model.to(dtype), torch.zeros(1, 4, 32, POSITIONS // 32, dtype=dtype)
    with torch.inference_mode(), Largest() as largest:
        model(x, torch.ones(1), condition.to("cpu", dtype))
    assert 16 * POSITIONS <= largest.numbers < POSITIONS**2 / 4
