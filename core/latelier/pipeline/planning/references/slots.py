"""Slots: the references of a picture, in order, to which names and mentions are bound."""

import re
from collections.abc import Iterator, Sequence

from PIL.Image import Image

Source = int | Image
"""What a slot shows: the number of an entry in the database, or a picture of the request."""

SLOT = re.compile(r"#([1-9]\d?)(?!\w)")
"""A slot in a text; its group is the number, from 1."""


def slot_name(number: int) -> str:
    """Return "#1" for slot 0: how texts and layouts write it."""
    return f"#{number + 1}"


def list_slots(numbers: Sequence[int]) -> str:
    """Return "#1", "#1 and #2" or "#1, #2 and #3", for numbers from 0."""
    *others, last = [slot_name(number) for number in numbers]
    return f"{', '.join(others)} and {last}" if others else last


def slots_in(text: str) -> list[int]:
    """Return the slots that a text has, in order, counted from 0."""
    return [int(found[1]) - 1 for found in SLOT.finditer(text)]


class Slots:
    """The references of one picture.

    Args:
        given: those of the request, which come first.
    """

    def __init__(self, given: Sequence[Source]) -> None:
        self._shown: list[Source] = list(given)

    def __len__(self) -> int:
        return len(self._shown)

    def __iter__(self) -> Iterator[Source]:
        return iter(self._shown)

    def __getitem__(self, number: int) -> Source:
        return self._shown[number]

    def append(self, shown: Source) -> None:
        """Add a reference that no text or layout names."""
        self._shown.append(shown)

    def bind(self, entries: Sequence[int], taken: set[int], most: int) -> list[int | None]:
        """Return the slot of each entry; None for one that finds none.

        An entry gets the slot that shows it already, else the next free one, whatever it shows,
        else a new one.

        Args:
            entries: numbers in the database.
            taken: slots that are not free; those of the entries are added.
            most: slots that there may be.
        """
        bound = [self._take(self._showing(entry), taken) for entry in entries]
        for k, entry in enumerate(entries):
            if bound[k] is None:
                bound[k] = self._take(range(len(self._shown)), taken)
            if bound[k] is None and len(self._shown) < most:
                self._shown.append(entry)
                bound[k] = self._take([len(self._shown) - 1], taken)
        return bound

    def _showing(self, entry: int) -> list[int]:
        return [number for number, shown in enumerate(self._shown) if shown == entry]

    def _take(self, numbers: Sequence[int], taken: set[int]) -> int | None:
        """Return the first of these slots that is free, and take it."""
        free = next((number for number in numbers if number not in taken), None)
        if free is not None:
            taken.add(free)
        return free
