"""Work for the device, which may be done together with other work."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Work(Generic[A, R]):
    """Work for the device: one result is to be computed from one argument.

    Attributes:
        argument: what is computed from.
        compute: returns the results of the arguments of a group, each of which has this function.
        key: what all work of a group has in common.
        rows: what it adds to the rows of a group.
        most_rows: of a group with it and others.
    """

    argument: A
    compute: Callable[[Sequence[A]], Sequence[R]]
    key: Hashable
    rows: int
    most_rows: int


def alone(compute: Callable[[], R]) -> Work[None, R]:
    """Return work that is done alone."""
    return Work(None, lambda _: [compute()], object(), 1, 1)
