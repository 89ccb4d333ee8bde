"""The boxes of a layout, each of which belongs to a reference."""

from typing import Any

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.inputs import Box
from latelier.pipeline.planning.references.names import EntryNames
from latelier.pipeline.planning.references.slots import Slots, slot_name, slots_in

_NO_ENTRY = -1
"""Stands for the entry of a label that the database does not have."""


def check_boxes(field: str, layout: Any, slots: Slots, names: EntryNames) -> None:
    """Refuse references and a layout of different numbers, as an error of an input.

    Raises:
        InvalidInputError: there are references, and not one for each box.
    """
    count = len(layout.objects)
    if len(slots) not in (0, count):
        listed = ", ".join(map(names.describe, slots))
        raise InvalidInputError.of_field(
            field, f"boxes: {count}, references: {len(slots)} ({listed}); name a thing for each box"
        )


def bind_layout(field: str, layout: Any, slots: Slots, most: int, names: EntryNames) -> Any:
    """Return a layout whose labels that name entries of a database are slots.

    Args:
        field: its input, which errors name.
        layout: boxes with labels; one may be the number of a slot.
        slots: the references so far; entries that labels name are added.
        most: references that fit.
        names: of the database.

    Raises:
        InvalidInputError: a label names nothing or several things, or too many references.
    """
    labels = [_to_slot(str(each.label).strip()) for each in layout.objects]
    written = {number for each in labels for number in slots_in(each)}
    named = [k for k, each in enumerate(labels) if not slots_in(each)]
    entries = [_read_label(field, labels[k], slots, names) for k in named]
    bound = slots.bind(entries, written, most)
    if None in bound:
        reason = f"it names {len(named)} objects, but at most {most} references fit"
        raise InvalidInputError.of_field(field, reason)
    for k, slot in zip(named, bound, strict=True):
        assert slot is not None
        labels[k] = slot_name(slot)
    objects = [
        each.model_copy(update={"label": label})
        for each, label in zip(layout.objects, labels, strict=True)
    ]
    return layout.model_copy(update={"objects": tuple(objects)})


def find_boxes(field: str, layout: Any, count: int) -> list[Box]:
    """Return the box of each of `count` slots in a layout.

    Raises:
        InvalidInputError: a slot has no box.
    """
    boxes = {slot: each.box for each in layout.objects for slot in slots_in(str(each.label))}
    missing = next((slot for slot in range(count) if slot not in boxes), None)
    if missing is not None:
        reason = f"no box has the label '{slot_name(missing)}'; label a box for each reference"
        raise InvalidInputError.of_field(field, reason)
    return [boxes[slot] for slot in range(count)]


def _read_label(field: str, label: str, slots: Slots, names: EntryNames) -> int:
    """Return the entry of a label. With references it may be any name for one of them."""
    if len(slots) and not names.find(label):
        return _NO_ENTRY
    entry, *others = names.read(field, label)
    if others:
        reason = f"'{label}' names {1 + len(others)} objects in one box; give each a box"
        raise InvalidInputError.of_field(field, reason)
    return entry


def _to_slot(label: str) -> str:
    """Return a label as a slot if it is the number of one: "#1" for "0"."""
    return slot_name(int(label)) if label.isdecimal() else label
