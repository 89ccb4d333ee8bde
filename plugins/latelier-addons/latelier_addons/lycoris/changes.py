"""Changes of parameters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from latelier.contracts.adapters import WeightChange
from torch import Tensor

from latelier_addons.lycoris.forms import Parts

_EPSILON = torch.finfo(torch.float32).eps
"""Added to norms, so that a weight of zeros stays finite."""


@dataclass(frozen=True, eq=False)
class FormChange:
    """A change that tensors make by a formula; see `latelier_addons.lycoris.forms`.

    Attributes:
        compute: the formula.
        parts: the tensors, in the precision of their file.
        scale: multiplies the change.
        shape: of the parameter.
    """

    compute: Callable[[Parts, Tensor], Tensor]
    parts: Mapping[str, Tensor]
    scale: float
    shape: tuple[int, ...]

    def difference(self, weight: Tensor, /) -> Tensor:
        """Return what is added to the unchanged parameter."""
        parts = {name: each.to(weight.device).float() for name, each in self.parts.items()}
        return self.compute(parts, weight.float()).reshape(self.shape) * self.scale


@dataclass(frozen=True, eq=False)
class DecomposedChange:
    """The change of a weight whose norms are learnt apart (DoRA, arXiv:2402.09353).

    W becomes m (W + dW) / ||W + dW||, with the norm of each output over its inputs, or of each
    input over the outputs.

    Attributes:
        inner: gives dW.
        magnitude: m, (C_out,) or (C_in,).
        axis: of the weight that m is for; 0: outputs, 1: inputs.
    """

    inner: WeightChange
    magnitude: Tensor
    axis: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weight."""
        return self.inner.shape

    def difference(self, weight: Tensor, /) -> Tensor:
        """Return what is added to the unchanged weight."""
        weight = weight.float()
        changed = weight + self.inner.difference(weight)
        others = [i for i in range(weight.ndim) if i != self.axis]
        norms = torch.linalg.vector_norm(changed, dim=others, keepdim=True) + _EPSILON
        magnitude = self.magnitude.to(weight.device).float().view(norms.shape)
        return changed.mul_(magnitude / norms).sub_(weight)


@dataclass(frozen=True, eq=False)
class RowChanges:
    """Changes of some outputs of a layer each, which files name as layers of their own.

    Attributes:
        pieces: the outputs (n,) int64, and the change of their rows of the parameter.
        shape: of the parameter.
    """

    pieces: Sequence[tuple[Tensor, WeightChange]]
    shape: tuple[int, ...]

    def difference(self, weight: Tensor, /) -> Tensor:
        """Return what is added to the unchanged parameter."""
        total = torch.zeros(self.shape, device=weight.device)
        for rows, change in self.pieces:
            total[rows] += change.difference(weight[rows])
        return total


def combine(pieces: Sequence[tuple[Tensor, WeightChange]], shape: tuple[int, ...]) -> WeightChange:
    """Return the change of a parameter, given those of its rows."""
    rows, change = pieces[0]
    if len(pieces) == 1 and torch.equal(rows, torch.arange(shape[0])):
        return change
    return RowChanges(pieces, shape)
