"""Classes by number or by name."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BeforeValidator

from latelier.contracts.errors import InvalidInputError


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):  # which Python takes for 0 or 1
        raise ValueError("a class is a number or a name, not true or false")
    return value


Label = Annotated[int | str, BeforeValidator(_no_truth)]
"""A class as a person gives it."""


def check_names(names: Sequence[str], num_classes: int) -> None:
    """Check that the names, if there are any, are one for each class.

    Raises:
        ValueError: there are too few or too many, or two that differ in case alone.
    """
    if names and len(names) != num_classes:
        raise ValueError(f"{len(names)} names for num_classes={num_classes}")
    folded = [name.casefold() for name in names]
    twice = sorted({name for name in folded if folded.count(name) > 1})
    if twice:
        raise ValueError(f"several classes have the name '{twice[0]}'")


class ClassNames:
    """Finds the number of a class."""

    def __init__(self, names: Sequence[str], num_classes: int) -> None:
        self._names = names
        self._num_classes = num_classes
        self._numbers = {name.casefold(): number for number, name in enumerate(names)}

    def number(self, label: int | str) -> int:
        """Return the number, from 0, of a class given by its number or its name.

        Raises:
            InvalidInputError: there is no such class; names the nearest.
        """
        if isinstance(label, str):
            named = self._numbers.get(label.strip().casefold())
            if named is not None:
                return named
            if not label.strip().isdecimal():
                raise InvalidInputError(f"there is no class '{label}'. {self._hint(label)}")
            label = int(label)
        if not 0 <= label < self._num_classes:
            raise InvalidInputError(
                f"there is no class {label}; the classes are 0 to {self._num_classes - 1}"
            )
        return label

    def _hint(self, label: str) -> str:
        if not self._numbers:
            last = self._num_classes - 1
            return f"The classes of this model have no names; give a number from 0 to {last}."
        close = get_close_matches(label.strip().casefold(), self._numbers, n=3, cutoff=0.5)
        if close:
            return f"Did you mean {' or '.join(map(repr, close))}?"
        return f"Some that there are: {', '.join(self._names[:10])}."
