"""Low-rank changes as files hold them: of a layer, or of some of its outputs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latelier.nn.low_rank import LowRank


@dataclass(frozen=True, eq=False)
class Piece:
    """A change of some outputs of a layer.

    Attributes:
        down: (r, C_in * kernel).
        up: (n, r).
        alpha: the change is scaled by alpha / r.
        rows: the outputs that it changes, (n,) int64.
    """

    down: Tensor
    up: Tensor
    alpha: float
    rows: Tensor

    @classmethod
    def of(
        cls, parts: Mapping[str, Tensor], rows: Tensor, default_alpha: Callable[[int], float]
    ) -> "Piece":
        """Return the change that the tensors of a file make.

        Args:
            parts: "down", "up", and optionally "middle" (Tucker decomposition of a kernel) and
                "alpha"; alpha 0 stands for the rank.
            rows: the outputs that the change is for.
            default_alpha: returns the alpha of a rank where there is no tensor of it.
        """
        down, up = parts["down"], parts["up"].flatten(1)
        if "middle" in parts:
            down = torch.einsum("rmhw,mi->rihw", parts["middle"], down.flatten(1))
        alpha = float(parts["alpha"].flatten()[0]) if "alpha" in parts else default_alpha(len(down))
        return cls(down.flatten(1), up, alpha or len(down), rows)

    @property
    def inputs(self) -> int:
        """Numbers that it maps from."""
        return self.down.shape[1]

    @property
    def outputs(self) -> int:
        """Numbers that it maps to."""
        return len(self.up)

    @property
    def rank(self) -> int:
        """The rank r."""
        return len(self.down)


def combine(pieces: Sequence[Piece], shape: Sequence[int]) -> LowRank:
    """Return the sum of the changes of one layer, whose weight has a shape.

    Several changes become one, of their ranks together, with their scales in `up`.
    """
    first = pieces[0]
    if len(pieces) == 1 and torch.equal(first.rows, torch.arange(shape[0])):
        return LowRank(first.down.view(-1, *shape[1:]), first.up, first.alpha)
    rank = sum(piece.rank for piece in pieces)
    up, start = torch.zeros(shape[0], rank), 0
    for piece in pieces:
        columns = slice(start, start + piece.rank)
        up[piece.rows, columns] = piece.up.float() * (piece.alpha / piece.rank)
        start += piece.rank
    down = torch.cat([piece.down.float() for piece in pieces])
    return LowRank(down.view(rank, *shape[1:]), up, float(rank))
