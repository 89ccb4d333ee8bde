"""What a caller may put around parts of a denoiser, through `Control`, to make a call faster.

Shapes: B rows of a batch, N tokens of width D, a feature map of size (h, w).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class SelfAttentionWrapper(Protocol):
    """Computes each self-attention of a denoiser, on fewer tokens for example.

    Runs share a call of the denoiser if their wrappers are equal and have the same hash. So one
    that keeps state must be equal to itself alone.
    """

    def __call__(
        self,
        attend: "Callable[[Tensor], Tensor]",
        tokens: "Tensor",
        size: tuple[int, int],
        t: "Tensor",
        /,
    ) -> "Tensor":
        """Return the output (B, N, D) of a self-attention.

        Args:
            attend: the self-attention, of any number of tokens (B, M, D).
            tokens: its input (B, N, D).
            size: (h, w) of the feature map whose positions the tokens are, row by row.
            t: (B,), the timestep of each row.
        """
        ...


class DeepBranchWrapper(Protocol):
    """Computes the deep branch of a UNet: all between its first and its last blocks.

    A run whose control has one shares no call of the denoiser with other runs.
    """

    @property
    def depth(self) -> int:
        """How many input blocks, and as many output blocks, are outside of it; 1 or more."""
        ...

    def __call__(self, compute: "Callable[[], Tensor]", /) -> "Tensor":
        """Return the features (B, C, h, w) at the end of the branch. `compute` computes them."""
        ...

    def select(self, rows: "Tensor", /) -> "DeepBranchWrapper":
        """Return the wrapper of some rows, (K,) int64, of a call that is made in parts."""
        ...
