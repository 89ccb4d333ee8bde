"""Classes that people give by number or by name."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BeforeValidator

from latelier.contracts.errors import InvalidInputError

_MAX_DIGITS = 1000
"""Most digits of a number of a class: Python converts no text of more than 4300."""


def _refuse_bool(value: Any) -> Any:
    if isinstance(value, bool):  # Python counts True and False as integers
        raise ValueError("a class is a number or a name, not true or false")
    return value


Label = Annotated[int | str, BeforeValidator(_refuse_bool)]
"""A class, by its number or its name."""


def check_names(names: Sequence[str], num_classes: int) -> None:
    """Check that there is one name for each class, or none at all.

    Raises:
        ValueError: `names` has another length than `num_classes`, or two names differ in case only.
    """
    if names and len(names) != num_classes:
        raise ValueError(f"{len(names)} names for num_classes={num_classes}")
    folded = [name.casefold() for name in names]
    duplicates = sorted({name for name in folded if folded.count(name) > 1})
    if duplicates:
        raise ValueError(f"several classes have the name '{duplicates[0]}'")


def label_schema(names: Sequence[str], num_classes: int) -> dict[str, Any]:
    """Return the JSON schema of a `Label` of one model: its numbers, and its names if it has any.

    Args:
        names: of all classes, in order, or empty.
        num_classes: number of classes.
    """
    number = {"type": "integer", "minimum": 0, "maximum": num_classes - 1}
    return {"anyOf": [{"type": "string", "enum": list(names)}, number] if names else [number]}


class ClassNames:
    """Looks up the number of a class."""

    def __init__(self, names: Sequence[str], num_classes: int) -> None:
        self._names = names
        self._num_classes = num_classes
        self._numbers = {name.casefold(): number for number, name in enumerate(names)}

    def number(self, label: int | str) -> int:
        """Return the number of a class, counted from 0.

        Raises:
            InvalidInputError: `label` is not a class of this model; the text has the nearest names.
        """
        if isinstance(label, str):
            number = self._numbers.get(label.strip().casefold())
            if number is not None:
                return number
            if not label.strip().isdecimal():
                raise InvalidInputError(f"there is no class '{label:.80}'. {self._hint(label)}")
            if len(label) > _MAX_DIGITS:
                raise InvalidInputError(
                    f"there is no class of {len(label)} digits; "
                    f"the classes are 0 to {self._num_classes - 1}"
                )
            label = int(label)
        if abs(label) >= 10**_MAX_DIGITS:
            raise InvalidInputError(
                f"there is no class of so many digits; the classes are 0 to {self._num_classes - 1}"
            )
        if not 0 <= label < self._num_classes:
            raise InvalidInputError(
                f"there is no class {label}; the classes are 0 to {self._num_classes - 1}"
            )
        return label

    def _hint(self, label: str) -> str:
        if not self._numbers:
            last = self._num_classes - 1
            return f"The classes of this model have no names; give a number from 0 to {last}."
        close = get_close_matches(label.strip().casefold()[:80], self._numbers, n=3, cutoff=0.5)
        if close:
            return f"Did you mean {' or '.join(map(repr, close))}?"
        return f"Some of the classes: {', '.join(self._names[:10])}."
