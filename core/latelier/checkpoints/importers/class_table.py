"""A table of classes that a denoiser holds: it becomes the conditioner `class_label`."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from latelier.checkpoints.importers.parameters import require_bool
from latelier.contracts.importing import ImportedPart

IMAGENET_WITH_NULL = 1001
"""Rows of a table of ImageNet's classes that has a last one for no class."""


def has_null_row(rows: int, said: Any = None) -> bool:
    """Return whether the last row stands for no class: as `said`, or where there are 1001.

    Raises:
        InvalidConfigError: what is said, by the option 'null_class', is neither true nor false.
    """
    return rows == IMAGENET_WITH_NULL if said is None else require_bool("null_class", said)


def null_row_note(rows: int, has_null: bool) -> str:
    """Return what was decided, for people."""
    last = "the last of which stands for no class" if has_null else "none of which is for no class"
    return f"the table of classes has {rows} rows, {last}"


def class_vectors(table: Tensor, has_null: bool, names: Sequence[str] = ()) -> ImportedPart:
    """Return the conditioner whose vectors, added to the timestep, are the rows of `table`.

    Args:
        table: (classes, width).
        has_null: whether its last row stands for no class.
        names: of all the classes, in order, or none.
    """
    rows, width = table.shape
    config = {
        "num_classes": rows - has_null,
        "width": width,
        "slot": "vector",
        "null_class": has_null,
        "names": list(names),
    }
    return ImportedPart("latelier/class_label", config, {"embedding.weight": table})
