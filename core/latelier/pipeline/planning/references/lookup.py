"""The look-up of reference pictures, for models with a conditioner of references.

A row of inputs has pictures or names as its references, names as labels of its layout, and mentions
of objects in its texts, in this order of precedence. The look-up binds each to a slot, and puts
slots in the place of names: "two dogs in a meadow" becomes "#1 and #2 in a meadow", and both slots
show the dog. `ConditionerConfig.reference_role` says which conditioners take part.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from latelier.contracts.errors import InvalidInputError, LatelierError
from latelier.contracts.inputs import read_input
from latelier.kernel.trust.guard import guard_plugin
from latelier.pipeline.databases import open_database
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.planning.references.drawn import (
    POSES,
    DrawnReference,
    Lookup,
    add_poses,
)
from latelier.pipeline.planning.references.layouts import bind_layout, check_boxes, find_boxes
from latelier.pipeline.planning.references.maps import fill_areas, find_areas
from latelier.pipeline.planning.references.names import EntryNames
from latelier.pipeline.planning.references.slots import Slots, Source, slot_name, slots_in
from latelier.pipeline.planning.references.texts import bind_text
from latelier.pipeline.request import Request

Row = dict[str, Any]
"""Conditioner -> its input, or None."""


def choose_database(parts: PipelineParts, request: Request) -> str | None:
    """Return the id of the database of a request; None for a model without references.

    Raises:
        InvalidInputError: the model takes no references, and the request names another database.
        UnknownNameError: the database is not registered.
    """
    if find_pictures(parts) is None:
        if request.database != parts.defaults.database:
            raise InvalidInputError.of_field(
                "database", "this model takes no reference pictures; leave it out"
            )
        return None
    try:
        return request.database and parts.atelier.databases.spec(request.database).id
    except LatelierError as error:
        error.field = "database"
        raise


def look_up_references(
    parts: PipelineParts, database: str | None, rows: dict[str, list[BaseModel | None]]
) -> Lookup:
    """Return inputs with the pictures and slots of all that they name.

    Args:
        parts: the pipeline's.
        database: a registered name; None: there is none, and only pictures can be given.
        rows: conditioner -> its input for each row.

    Raises:
        InvalidInputError: the database lacks a name or number, there are too many references, or
            references and boxes of a layout differ in number.
        UnknownNameError: the database is not registered.
        DataError: a picture of the database is damaged.
    """
    pictures = find_pictures(parts)
    if pictures is None:
        return Lookup(rows)
    if pictures in rows:  # a list of no references is none
        given = [each if each and each.pictures else None for each in rows[pictures]]  # type: ignore[attr-defined]
        rows = {**rows, pictures: given}
    opened = None if database is None else open_database(database, parts.atelier)
    lookup = _RowLookup(parts, pictures, EntryNames(opened, database or ""))
    names = dict.fromkeys((*rows, pictures))
    found, drawn = [], []
    for k in range(len(next(iter(rows.values()), ()))):
        row = {name: rows[name][k] if name in rows else None for name in names}
        drawn.append(lookup.complete(row))
        found.append(row)
    complete = {name: [row[name] for row in found] for name in names}
    if not any(drawn):
        complete = rows
    warnings = tuple(dict.fromkeys(lookup.warnings))
    known = {name: list(texts) for name, texts in lookup.known.items()}
    return Lookup(complete, tuple(drawn), lookup.public(pictures), warnings, known)


@dataclass(frozen=True)
class _RowLookup:
    """The look-up of single rows.

    Attributes:
        parts: the pipeline's.
        pictures: name of the conditioner of references.
        names: of the database.
        warnings: of all rows so far.
        known: texts without the phrases that the database lacks, of all rows so far.
    """

    parts: PipelineParts
    pictures: str
    names: EntryNames
    warnings: list[str] = field(default_factory=list)
    known: dict[str, list[Any]] = field(default_factory=dict)

    def complete(self, row: Row) -> tuple[DrawnReference, ...]:
        """Put pictures and slots into a row, and return its references."""
        most: int = self.parts.conditioners[self.pictures].config.max_references  # type: ignore[attr-defined]
        slots = Slots(list(self._read_given(row)))
        given = len(slots)
        if given > most:
            reason = f"there are {given} reference pictures, but at most {most} fit"
            raise InvalidInputError.of_field(self.public(self.pictures), reason)
        layouts = list(self._taking_part(row, "layout"))
        for name in layouts:
            check_boxes(self.public(name), row[name], slots, self.names)
            row[name] = bind_layout(self.public(name), row[name], slots, most, self.names)
        limit = min((most, *(len(row[name].objects) for name in layouts)))
        for name in self._taking_part(row, "text"):
            row[name] = self._bind_text(name, row[name], slots, limit)
            if given and not slots_in(row[name].text):
                self._warn(name, "it has no reference; write '#1' where the first belongs")
        for name in layouts:
            check_boxes(self.public(name), row[name], slots, self.names)
        pose = self._find_pose(row, slots, layouts, most)
        references = tuple(map(self._draw, slots))
        if references:
            value = self._read_pictures([each.picture for each in references], pose)
            row[self.pictures] = value
            references = add_poses(references, value)
        return references

    def public(self, name: str) -> str:
        """Return the public input that feeds a conditioner."""
        return next(public for public, names in self.parts.inputs.items() if name in names)

    def _read_given(self, row: Row) -> Iterator[Source]:
        """Yield what the references of a request show."""
        value, public = row[self.pictures], self.public(self.pictures)
        for each in () if value is None else value.pictures:
            if isinstance(each, str):
                yield from self.names.read(public, each)
            elif isinstance(each, int):
                yield self.names.check_number(public, each)
            else:
                yield each

    def _find_pose(
        self, row: Row, slots: Slots, layouts: Sequence[str], most: int
    ) -> dict[str, Any]:
        """Return what is known of boxes, turns and mirroring of placed references.

        They are given, or those of a layout, or of a map, whose free areas get references too.
        """
        if self.parts.conditioners[self.pictures].config.reference_role != "placed_pictures":
            return {}
        given = row[self.pictures]
        fields = {each: getattr(given, each, None) for each in POSES}
        pose = {name: values for name, values in fields.items() if values is not None}
        if not pose and not layouts:
            return self._fill_map(row, slots, most)
        for name, values in pose.items():
            if len(values) != len(slots):
                listed = ", ".join(map(self.names.describe, slots))
                reason = (
                    f"it has {len(values)} {name}, and there are {len(slots)} references "
                    f"({listed}); list each of them, or leave the {name} out"
                )
                raise InvalidInputError.of_field(self.public(self.pictures), reason)
        if "boxes" not in pose and layouts and len(slots):
            layout = layouts[0]
            pose["boxes"] = find_boxes(self.public(layout), row[layout], len(slots))
        return pose

    def _fill_map(self, row: Row, slots: Slots, most: int) -> dict[str, Any]:
        """Return the poses of references in the areas of a map; {} if it decides none.

        Areas of objects that have no reference get one. With more references than areas the map
        decides nothing.
        """
        database = self.names.database
        if database is None:
            return {}
        for name in self._taking_part(row, "map"):
            conditioner = self.parts.conditioners[name]
            labels = conditioner.read_labels(row[name].map)  # type: ignore[operator]
            areas = find_areas(labels, conditioner.vocabulary(), database)
            if len(areas) > most:
                self._warn(
                    name, f"it has {len(areas)} areas of objects, and the largest {most} are drawn"
                )
            if areas and len(slots) <= len(areas):
                with guard_plugin(f"the database '{self.names.source}'"):
                    return fill_areas(areas, slots, database, most)
        return {}

    def _bind_text(self, name: str, value: Any, slots: Slots, most: int) -> Any:
        """Return a text whose mentions are slots."""
        words = self.parts.conditioners[name].vocabulary()
        bound = bind_text(value.text, slots, most, self.names, words)
        for each in bound.warnings:
            self._warn(name, each)
        self.known.setdefault(name, []).append(value.model_copy(update={"text": bound.known}))
        return value.model_copy(update={"text": bound.text})

    def _taking_part(self, row: Row, role: Literal["text", "layout", "map"]) -> Iterator[str]:
        """Yield the conditioners of a role that have an input in the row."""
        for name in _with_role(self.parts, role):
            # labels without slots are classes, whatever they are called
            is_slotted = role != "layout" or self._knows_slots(name)
            if is_slotted and row.get(name) is not None:
                yield name

    def _knows_slots(self, name: str) -> bool:
        return slot_name(0) in self.parts.conditioners[name].vocabulary()

    def _draw(self, shown: Source) -> DrawnReference:
        if not isinstance(shown, int):
            return DrawnReference(None, shown)
        database = self.names.require(self.public(self.pictures), f"{shown} is a number")
        with guard_plugin(f"the database '{self.names.source}'"):
            picture = database.picture(shown)
        return DrawnReference(
            database.entries[shown].name, self._read_pictures([picture], {}).pictures[0]
        )

    def _read_pictures(self, pictures: Sequence[Any], pose: Mapping[str, Any]) -> Any:
        model = self.parts.conditioners[self.pictures].Input
        fields = {"pictures": list(pictures), **pose}
        return read_input(model, fields, self.public(self.pictures))

    def _warn(self, name: str, message: str) -> None:
        self.warnings.append(f"{self.public(name)}: {message}")


def find_pictures(parts: PipelineParts) -> str | None:
    """Return the name of the conditioner of references; None for a model without."""
    found = (name for name, each in parts.conditioners.items() if each.config.is_shown_references)
    return next(found, None)


def _with_role(parts: PipelineParts, role: str) -> Iterator[str]:
    """Yield the conditioners of a role in the look-up."""
    for name, conditioner in parts.conditioners.items():
        if conditioner.config.reference_role == role:
            yield name
