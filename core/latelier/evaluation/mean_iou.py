"""Intersection over union of semantic maps."""

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
    shared, union = (each.sum(0) for each in count_overlaps(maps, references, classes))
    return float((shared[union > 0] / union[union > 0]).mean())


def count_overlaps(maps: Tensor, references: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Return the pixels of each class in both maps, and in at least one: float64 (B, classes).

    Raises:
        InvalidInputError: the shapes differ, or a class is unknown.
    """
    if maps.shape != references.shape:
        raise InvalidInputError(
            f"expected maps of one shape, got {tuple(maps.shape)} and {tuple(references.shape)}"
        )
    both = torch.stack([maps.long(), references.long()]).flatten(2)
    if both.numel() == 0 or both.min() < 0 or both.max() >= classes:
        raise InvalidInputError(f"expected classes from 0 to {classes - 1}")
    pairs = both[0] * classes + both[1]
    counts = torch.zeros(len(maps), classes**2, dtype=torch.float64)
    counts = counts.scatter_add_(1, pairs, torch.ones(pairs.shape, dtype=torch.float64))
    counts = counts.reshape(-1, classes, classes)
    shared = counts.diagonal(dim1=1, dim2=2)
    return shared, counts.sum(1) + counts.sum(2) - shared
