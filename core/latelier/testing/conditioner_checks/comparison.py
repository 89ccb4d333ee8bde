"""Compares parts as a denoiser would see them."""

from collections.abc import Mapping

from torch import Tensor

from latelier.contracts.condition import ConditionPart
from latelier.testing.support.reading import attend_part, part_tensors

MIN_DIFFERENCE = 1e-6
"""Smallest difference of two parts that a model could learn to use."""


def has_difference(one: ConditionPart, other: ConditionPart) -> bool:
    """Return whether two parts differ enough for a model to distinguish them.

    Streams of different lengths are compared after attention, where n equal tokens equal one.
    """
    tensors, others = part_tensors(one), part_tensors(other)
    if tensors.keys() != others.keys():
        return True
    if any(tensor.shape != others[name].shape for name, tensor in tensors.items()):
        return has_distance(attend_part(one), attend_part(other))
    return has_distance(tensors, others)


def has_distance(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Return whether any tensors of the same name differ in shape, or by `MIN_DIFFERENCE`."""
    return any(
        tensor.shape != other[name].shape
        or bool((tensor.double() - other[name]).abs().max() > MIN_DIFFERENCE)
        for name, tensor in one.items()
    )
