"""Mean intersection over union of semantic maps."""

import torch
from torch import Tensor

from latelier.contracts.errors import InvalidInputError


def mean_iou(maps: Tensor, references: Tensor, classes: int) -> float:
    """Return the mean of the classes' intersection over union, over all pixels together.

    Classes that neither the maps nor the references have do not count.

    Args:
        maps: integers (B, H, W).
        references: integers (B, H, W).
        classes: number of classes.

    Raises:
        InvalidInputError: the shapes differ, or a class is unknown.
    """
    if maps.shape != references.shape:
        raise InvalidInputError(
            f"expected maps of one shape, got {tuple(maps.shape)} and {tuple(references.shape)}"
        )
    pairs = (maps.long() * classes + references.long()).flatten()
    if len(pairs) == 0 or pairs.min() < 0 or max(int(maps.max()), int(references.max())) >= classes:
        raise InvalidInputError(f"expected classes from 0 to {classes - 1}")
    counts = torch.bincount(pairs, minlength=classes**2).reshape(classes, classes).double()
    shared = counts.diagonal()
    union = counts.sum(0) + counts.sum(1) - shared
    return float((shared[union > 0] / union[union > 0]).mean())
