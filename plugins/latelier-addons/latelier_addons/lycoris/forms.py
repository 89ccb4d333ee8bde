"""How the tensors of a layer in a file make the change of a weight. Pure functions.

Each gives a change (C_out, C_in, *kernel) or (C_out, C_in * kernel), before its scale.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

Parts = Mapping[str, Tensor]
"""Part of a change, by its name in files -> tensor."""


def low_rank(parts: Parts, _weight: Tensor) -> Tensor:
    """Return B A (LoRA, Hu et al. 2021, arXiv:2106.09685)."""
    return _multiply(parts["up"], parts["down"], parts.get("middle"))


def hadamard(parts: Parts, _weight: Tensor) -> Tensor:
    """Return (B1 A1) * (B2 A2), the elementwise product (LoHa, arXiv:2108.06098)."""
    first, second = (
        _product(parts[f"hada_w{i}_a"], parts[f"hada_w{i}_b"], parts.get(f"hada_t{i}"))
        for i in (1, 2)
    )
    if first.shape != second.shape:
        raise ValueError("the factors have different shapes")  # which could be broadcast
    return first * second


def kronecker(parts: Parts, _weight: Tensor) -> Tensor:
    """Return the Kronecker product of two matrices, each whole or of low rank (LoKr)."""
    first, second = (
        parts[f"lokr_w{i}"]
        if f"lokr_w{i}" in parts
        else _product(parts[f"lokr_w{i}_a"], parts[f"lokr_w{i}_b"], parts.get(f"lokr_t{i}"))
        for i in (1, 2)
    )
    return torch.kron(first[(..., *[None] * (second.ndim - first.ndim))], second.contiguous())


def generalized(parts: Parts, weight: Tensor) -> Tensor:
    """Return W A1 A2 + B1 B2 (GLoRA, Chavan et al. 2023, arXiv:2306.07967)."""
    inner = parts["a1"].flatten(1) @ parts["a2"].flatten(1)
    of_weight = torch.einsum("oi...,ij->oj...", weight, inner)
    own = _multiply(parts["b1"], parts["b2"], parts.get("bm"))
    return of_weight.flatten(1) + own.flatten(1)


def whole(parts: Parts, _weight: Tensor) -> Tensor:
    """Return a difference that a file holds as it is."""
    (difference,) = parts.values()
    return difference


def _product(a: Tensor, b: Tensor, core: Tensor | None) -> Tensor:
    """Return a b; with the core (r, r, *kernel) of a Tucker decomposition a is (r, C_out)."""
    if core is None:
        return a @ b.flatten(1)
    return torch.einsum("ij...,ip,jq->pq...", core, a, b)


def _multiply(up: Tensor, down: Tensor, middle: Tensor | None) -> Tensor:
    """Return the product of layers: down, perhaps with a kernel in the middle, and up."""
    up = up.flatten(1)
    return up @ down.flatten(1) if middle is None else _product(up.T, down.flatten(1), middle)


@dataclass(frozen=True)
class Form:
    """A kind of change.

    Attributes:
        compute: returns the change of a weight, given the parts.
        parts: the sets of parts that make a change.
        ranked: parts whose first dimension is the rank; without any of them there is no scale.
    """

    compute: Callable[[Parts, Tensor], Tensor]
    parts: tuple[frozenset[str], ...]
    ranked: tuple[str, ...] = ()


def _sets(*choices: tuple[str, ...]) -> tuple[frozenset[str], ...]:
    """Return the sets with one choice of each; a choice has the names of parts in one text."""
    return tuple(frozenset(" ".join(each).split()) for each in product(*choices))


LOKR = "LoKr"

FORMS = {
    "LoRA": Form(low_rank, _sets(("down up", "down up middle")), ("down",)),
    "LoHa": Form(
        hadamard,
        _sets(("hada_w1_a hada_w1_b hada_w2_a hada_w2_b",), ("", "hada_t1 hada_t2")),
        ("hada_w1_b",),
    ),
    LOKR: Form(
        kronecker,
        _sets(
            ("lokr_w1", "lokr_w1_a lokr_w1_b"),
            ("lokr_w2", "lokr_w2_a lokr_w2_b", "lokr_w2_a lokr_w2_b lokr_t2"),
        ),
        ("lokr_w1_b", "lokr_w2_b"),
    ),
    "GLoRA": Form(generalized, _sets(("a1 a2 b1 b2",), ("", "bm")), ("a2",)),
    "whole difference": Form(whole, _sets(("diff", "w_norm"))),
}
"""The kinds of changes by name."""


def find_form(names: frozenset[str]) -> str | None:
    """Return the form whose change some parts make; None: they are of no form, or incomplete."""
    return next((name for name, form in FORMS.items() if names in form.parts), None)
