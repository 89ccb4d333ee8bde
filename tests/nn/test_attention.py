import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from latelier.nn import attention
from latelier.nn.attention import (
    MASKED,
    attend,
    attend_explicitly,
    merge_heads,
    split_heads,
)

B, H, Q, N, D = 2, 2, 6, 5, 8


def draw_inputs() -> list[Tensor]:
    """Return q (B, H, Q, d), k and v (B, H, N, d)."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(B, H, n, D, generator=generator) for n in (Q, N, N)]


def weighted_values(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """Return attention by its formula."""
    return torch.softmax(q @ k.mT / math.sqrt(D) + bias, dim=-1) @ v


@pytest.mark.parametrize("function", [attend, attend_explicitly])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
class TestMask:
    """Both paths, and every dtype of the inputs, give a mask one meaning."""

    KEPT = torch.arange(N) < 3

    def test_true_marks_keys_to_attend_to(
        self, function: Callable[..., Tensor], dtype: torch.dtype
    ) -> None:
        q, k, v = (part.to(dtype) for part in draw_inputs())
        result = function(q, k, v, self.KEPT.expand(B, 1, 1, N))
        expected = function(q, k[:, :, :3], v[:, :, :3])
        torch.testing.assert_close(result, expected)

    def test_a_boolean_mask_is_the_bias_of_its_masked_keys(
        self, function: Callable[..., Tensor], dtype: torch.dtype
    ) -> None:
        inputs = [part.to(dtype) for part in draw_inputs()]
        bias = torch.zeros(N).masked_fill(~self.KEPT, MASKED).expand(B, 1, 1, N)
        assert torch.equal(function(*inputs, self.KEPT.expand(B, 1, 1, N)), function(*inputs, bias))

    def test_fully_masked_rows_stay_finite(
        self, function: Callable[..., Tensor], dtype: torch.dtype
    ) -> None:
        inputs = [part.to(dtype) for part in draw_inputs()]
        masked = torch.zeros(B, 1, 1, N, dtype=torch.bool)
        assert function(*inputs, masked).isfinite().all()

    @pytest.mark.parametrize("bias_dtype", [torch.float64, torch.float32, torch.bfloat16])
    def test_a_bias_of_any_dtype_is_added_to_the_logits(
        self, function: Callable[..., Tensor], dtype: torch.dtype, bias_dtype: torch.dtype
    ) -> None:
        inputs = [part.to(dtype) for part in draw_inputs()]
        bias = torch.randn(B, 1, Q, N, generator=torch.Generator().manual_seed(1)).to(bias_dtype)
        result = function(*inputs, bias)
        assert result.dtype == dtype
        expected = weighted_values(*(part.float() for part in inputs), bias.float())
        tolerance = 1e-5 if dtype == torch.float32 else 0.03
        torch.testing.assert_close(result.float(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("with_mask", [False, True])
@pytest.mark.parametrize("keys", [N, 1025])
def test_16_bit_training_has_the_gradients_of_full_precision(keys: int, with_mask: bool) -> None:
    """Few keys take the explicit path, many the fused one."""
    generator = torch.Generator().manual_seed(0)
    exact = [torch.randn(B, H, n, D, generator=generator) for n in (Q, keys, keys)]
    mask = (torch.arange(keys) < 3).expand(B, 1, 1, keys) if with_mask else None
    inputs = [part.bfloat16().requires_grad_() for part in exact]
    references = [part.detach().float().requires_grad_() for part in inputs]
    result = attend(*inputs, mask)
    expected = functional.scaled_dot_product_attention(*references, mask)
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.float(), expected, rtol=0.03, atol=0.03)
    result.square().sum().backward()
    expected.square().sum().backward()
    for part, reference in zip(inputs, references, strict=True):
        assert part.grad is not None
        assert reference.grad is not None
        torch.testing.assert_close(part.grad.float(), reference.grad, rtol=0.1, atol=0.1)
    if with_mask:
        assert inputs[2].grad is not None
        assert inputs[2].grad[:, :, 3:].abs().max() == 0


@pytest.mark.parametrize("block", [2**21, B * H * Q * N - 1, Q * N, 2 * N, 1])
@pytest.mark.parametrize("shape", [None, (1, 1, 1, N), (B, 1, Q, N), (H, Q, N), (B, H, Q, N)])
def test_16_bit_attention_in_blocks_agrees_with_full_precision(
    monkeypatch: pytest.MonkeyPatch, block: int, shape: tuple[int, ...] | None
) -> None:
    monkeypatch.setattr(attention, "BLOCK", block)
    inputs = [part.bfloat16() for part in draw_inputs()]
    bias = None if shape is None else torch.randn(shape, generator=torch.Generator().manual_seed(2))
    result = attend(*inputs, bias)
    added = torch.zeros(()) if bias is None else bias
    expected = weighted_values(*(part.float() for part in inputs), added)
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.float(), expected, rtol=0.03, atol=0.03)


def test_heads_split_the_width_into_contiguous_blocks() -> None:
    tokens = torch.arange(2 * 3 * 4).view(2, 3, 4)
    heads = split_heads(tokens, 2)
    assert heads.shape == (2, 2, 3, 2)
    assert torch.equal(heads[:, 1], tokens[:, :, 2:])
    assert torch.equal(merge_heads(heads), tokens)
