"""The other conditions of guidance: those with some or all parts null."""

from collections.abc import Collection

import torch

from latelier.contracts.condition import Condition
from latelier.contracts.errors import CompatibilityError


def find_nullable(condition: Condition, null: Condition) -> frozenset[str]:
    """Return the names of the conditioners whose null part differs from their part.

    Spatial parts are mostly the same in both: models were never trained without them.
    """
    spatial = (
        name
        for name, each in null.spatial.items()
        if name not in condition.spatial or not torch.equal(each, condition.spatial[name])
    )
    return frozenset({*null.streams, *null.vectors, *spatial})


def make_unconditional(guidance: str, condition: Condition, null: Condition) -> Condition:
    """Return `condition` with the parts of `null` instead of its own.

    Raises:
        CompatibilityError: no part differs, as where a model takes no condition, or spatial ones
            alone; names the guidance.
    """
    if not find_nullable(condition, null):
        raise CompatibilityError(
            f"guidance '{guidance}' steers away from the null condition, and this model takes no "
            "condition that has one; use guidance 1"
        )
    return condition.updated(null)


def nullify(condition: Condition, null: Condition, names: Collection[str]) -> Condition:
    """Return `condition` with the parts of these conditioners null."""
    return condition.updated(
        Condition(
            {name: each for name, each in null.streams.items() if name in names},
            {name: each for name, each in null.spatial.items() if name in names},
            {name: each for name, each in null.vectors.items() if name in names},
        )
    )
