"""Unconditional and partly unconditional conditions: some or all parts are null parts."""

from collections.abc import Collection

import torch

from latelier.contracts.condition import Condition
from latelier.contracts.errors import CompatibilityError


def find_droppable_conditions(condition: Condition, null: Condition) -> frozenset[str]:
    """Return the names of the conditioners whose null part differs from their part.

    Spatial parts are mostly the same in both, because models were never trained without them.
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
        CompatibilityError: no part differs, as in a model that takes no condition or only spatial
            ones; the error names the guidance.
    """
    if not find_droppable_conditions(condition, null):
        raise CompatibilityError(
            f"guidance '{guidance}' needs a null condition, and this model has none; "
            "set guidance to 1"
        )
    return condition.updated(null)


def drop_conditions(condition: Condition, null: Condition, names: Collection[str]) -> Condition:
    """Return `condition` with null parts for these conditioners."""
    return condition.updated(
        Condition(
            {name: each for name, each in null.streams.items() if name in names},
            {name: each for name, each in null.spatial.items() if name in names},
            {name: each for name, each in null.vectors.items() if name in names},
        )
    )
