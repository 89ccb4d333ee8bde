"""Classes that a data set gives by number or by name."""

from collections.abc import Iterable
from typing import Any

from latelier.contracts.errors import DataError


class NameTable:
    """The numbers of classes: those that are given, or the places of their sorted names.

    Attributes:
        names: All names in order; empty where classes are given by number.
    """

    def __init__(self, labels: Iterable[Any]) -> None:
        given = {label for label in labels if isinstance(label, str)}
        by_number = all(label.strip().isdecimal() for label in given)
        self.names = () if by_number else tuple(sorted(given))
        self._numbers = {name: number for number, name in enumerate(self.names)}

    def number(self, label: Any, where: str) -> int:
        """Return the number of a class.

        Raises:
            DataError: it is neither a number from 0 nor a name, or some classes of the data set
                are given by number and others by name.
        """
        if isinstance(label, str) and label in self._numbers:
            return self._numbers[label]
        if isinstance(label, str) and not self.names and label.strip().isdecimal():
            return int(label)
        if isinstance(label, int) and not isinstance(label, bool) and label >= 0 and not self.names:
            return label
        mixed = "; other rows give classes by name" if self.names else ""
        raise DataError(
            f"{where}: expected a class as a number from 0 or as a name, got {label!r:.80}{mixed}"
        )
