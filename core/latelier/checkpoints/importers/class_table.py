"""A class embedding table inside a denoiser becomes the conditioner `class_label`."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from latelier.checkpoints.importers.parameters import require_bool
from latelier.contracts.importing import ImportedPart

IMAGENET_WITH_NULL = 1001
"""Rows of a table of ImageNet's classes whose last row stands for no class."""


def has_null_row(rows: int, option: Any = None) -> bool:
    """Return whether the last row stands for no class.

    Args:
        rows: of the table.
        option: the option 'null_class'; None: it does where there are 1001 rows.

    Raises:
        InvalidConfigError: the option is neither true nor false.
    """
    return rows == IMAGENET_WITH_NULL if option is None else require_bool("null_class", option)


def null_row_note(rows: int, has_null: bool) -> str:
    """Return a human-readable note about the last row."""
    last = "the last stands for no class" if has_null else "none of them for no class"
    return f"the class embedding table has {rows} rows, {last}"


def class_label_part(table: Tensor, has_null: bool, names: Sequence[str] = ()) -> ImportedPart:
    """Return the conditioner that adds a row of `table` to the timestep embedding.

    Args:
        table: (classes, width).
        has_null: whether its last row stands for no class.
        names: of all classes, in order, or none.
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
