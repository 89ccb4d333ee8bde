"""Comparisons of tensors, and of what code raises with one clear error."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from latelier.contracts.errors import LatelierError

TOLERANCE = 1e-5
"""Relative and absolute, for numbers that need not have the same bits."""


def is_close(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors have one shape and nearly equal numbers."""
    return a.shape == b.shape and torch.allclose(
        a.double(), b.double(), TOLERANCE, TOLERANCE, equal_nan=True
    )


def has_same_bits(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors have one shape and equal numbers."""
    if a.shape != b.shape:
        return False
    return torch.allclose(a.double(), b.double(), rtol=0, atol=0, equal_nan=True)


def check_one_clear_error(
    call: Callable[[], object], what: str, advice: str, *, max_lines: int = 1
) -> None:
    """Check that a call raises a `LatelierError` with a short text.

    Args:
        call: must raise.
        what: the fault in the arguments of the call.
        advice: how to fix a component that fails this check.
        max_lines: of the text.
    """
    text = None
    try:
        with torch.no_grad():
            call()
    except LatelierError as error:
        text = str(error)
    except Exception as error:
        pytest.fail(f"{what}: raises {type(error).__name__} ({error}); {advice}")
    assert text, f"{what}: raises nothing; {advice}"
    lines = len(text.splitlines())
    assert lines <= max_lines, f"{what}: the error has {lines} lines: {text[:500]!r}"
