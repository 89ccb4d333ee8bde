"""Steps of linear multistep methods, by the slopes of the last steps."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

ADAMS_BASHFORTH = (
    (1.0,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)
"""By the number of slopes: their weights for even spacing, the newest first."""


def multistep(x: Tensor, slopes: Iterable[Tensor], weights: Sequence[float]) -> Tensor:
    """Return x plus the weighted slopes, all (B, C, h, w)."""
    newest, *older = slopes
    x = torch.add(x, newest, alpha=weights[0])
    for weight, slope in zip(weights[1:], older):
        x.add_(slope, alpha=weight)
    return x
