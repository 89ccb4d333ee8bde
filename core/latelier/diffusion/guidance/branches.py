"""The other sides of guidance: a condition with some of its parts null."""

from collections.abc import Collection

import torch

from latelier.contracts.condition import Condition
from latelier.contracts.errors import CompatibilityError


def with_null(condition: Condition, null: Condition) -> frozenset[str]:
    """Return the names of the conditioners whose null part is another than what they give.

    Spatial parts are mostly the same on both sides: models were never trained without them.
    """
    spatial = (
        name
        for name, each in null.spatial.items()
        if name not in condition.spatial or not torch.equal(each, condition.spatial[name])
    )
    return frozenset({*null.streams, *null.vectors, *spatial})


def unconditional(guidance: str, condition: Condition, null: Condition) -> Condition:
    """Return `condition` with what `null` gives in place of its own.

    Raises:
        CompatibilityError: there is nothing to be steered from, as where a model takes no
            condition, or spatial ones alone. Names the guidance.
    """
    if not with_null(condition, null):
        raise CompatibilityError(
            f"guidance '{guidance}' steers away from the null condition, and this model takes no "
            "condition that has one; use guidance 1"
        )
    return condition.updated(null)


def without(condition: Condition, null: Condition, names: Collection[str]) -> Condition:
    """Return `condition` with the parts of these conditioners null."""
    return condition.updated(
        Condition(
            {name: each for name, each in null.streams.items() if name in names},
            {name: each for name, each in null.spatial.items() if name in names},
            {name: each for name, each in null.vectors.items() if name in names},
        )
    )
