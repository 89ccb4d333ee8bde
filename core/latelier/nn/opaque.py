"""Operations that `torch.compile` calls as they are, because it would make slower code of them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_LIBRARY: Any = torch.library.Library("latelier", "FRAGMENT")  # type: ignore[no-untyped-call]


def register_opaque(
    schema: str, compute: Callable[..., Tensor], empty: Callable[..., Tensor]
) -> Any:
    """Return an operation on a CPU, without a gradient, for code that is compiled.

    Args:
        schema: its name and types, such as "scale(Tensor x, float by) -> Tensor".
        compute: what it does.
        empty: takes the same arguments, and returns a tensor as `compute` would, of any numbers.
    """
    name = schema.partition("(")[0]
    _LIBRARY.define(schema)
    _LIBRARY.impl(name, compute, "CPU")
    torch.library.register_fake(f"latelier::{name}", empty, lib=_LIBRARY)
    return getattr(torch.ops.latelier, name)
