"""Rows of a table of pictures, as many data sets have them, into records.

Columns with a meaning:

    captions, caption, text, prompt   caption, or a list of them
    class_label, label, class         number or name of the class
    objects                           {"bbox": [[x, y, width, height], ...] in pixels,
                                      "categories": [number or name, ...]}
    weight, width, height, id         as in a manifest

All other columns are inputs of other conditioners, by their names.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latelier.contracts.errors import DataError
from latelier.contracts.frozen import validate
from latelier.data.converters.boxes import convert_box
from latelier.data.converters.names import NameTable
from latelier.data.manifest.manifest import ManifestBuilder
from latelier.data.manifest.record import FileRange, Header, Record
from latelier.data.pictures import UnusableError, read_size

CAPTION_COLUMNS = ("captions", "caption", "text", "prompt")
CLASS_COLUMNS = ("class_label", "label", "class")
_SAME = ("weight", "width", "height", "id")
_BOXES = "objects"

MeasureSize = Callable[[FileRange], tuple[int, int]]
"""Returns the width and height of a picture."""


@dataclass(frozen=True)
class Row:
    """One picture of a table.

    Attributes:
        values: Its columns.
        picture: Fields of the picture's `FileRange`.
        where: The row, for errors.
        maps: Fields of the files of "semantic_map" and "mask", where it has them.
    """

    values: Mapping[str, Any]
    picture: Mapping[str, Any]
    where: str
    maps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def add_rows(
    builder: ManifestBuilder, root: Path, rows: Sequence[Row], class_names: Sequence[str] = ()
) -> Header:
    """Add the records of rows, and return the header with the names of classes.

    Args:
        builder: takes the records.
        root: folder that the files of rows are relative to.
        rows: of the table.
        class_names: names of the classes where rows give their numbers, if they are known.

    Raises:
        DataError: a row is not valid, or names a file outside of `root`.
    """
    classes = NameTable(_first(row.values, CLASS_COLUMNS) for row in rows)
    boxes = NameTable(label for row in rows for label in _box_labels(row))
    for row in rows:
        builder.add(convert_row(row, lambda place: read_size(root, place), classes, boxes))
    return Header(class_names=classes.names or tuple(class_names), box_names=boxes.names)


def convert_row(row: Row, measure: MeasureSize, classes: NameTable, boxes: NameTable) -> Record:
    """Return the record of a row.

    Args:
        row: of the table.
        measure: returns width and height of a picture, which boxes in pixels need.
        classes: numbers of classes.
        boxes: numbers of the classes of boxes.

    Raises:
        DataError: the row is not valid.
    """
    values = row.values
    record: dict[str, Any] = {**row.picture, **row.maps}
    record |= {name: values[name] for name in _SAME if name in values}
    if "id" in record:
        record["id"] = str(record["id"])
    captions = _first(values, CAPTION_COLUMNS)
    if captions is not None:
        given = captions if isinstance(captions, list) else [captions]
        record["captions"] = [each for each in given if not isinstance(each, str) or each.strip()]
    label = _first(values, CLASS_COLUMNS)
    if label is not None:
        record["class_label"] = classes.number(label, row.where)
    if values.get(_BOXES) is not None:
        record["boxes"] = list(_convert_objects(row, measure, boxes))
    known = {*CAPTION_COLUMNS, *CLASS_COLUMNS, *_SAME, _BOXES}
    record["fields"] = {name: value for name, value in values.items() if name not in known}
    return validate(Record, record, row.where, DataError)


def _convert_objects(row: Row, measure: MeasureSize, boxes: NameTable) -> Iterator[dict[str, Any]]:
    labels = list(_box_labels(row))
    rectangles = row.values[_BOXES].get("bbox")
    if not isinstance(rectangles, list) or len(rectangles) != len(labels):
        raise DataError(
            f"{row.where}: objects: expected as many boxes in 'bbox' as classes in 'categories'"
        )
    if not rectangles:
        return
    place = validate(FileRange, row.picture, row.where, DataError)
    try:
        size = measure(place)
    except UnusableError as error:
        raise DataError(f"{row.where}: {place.name}: {error}") from None
    for box, label in zip(rectangles, labels, strict=True):
        yield {"box": convert_box(box, size, row.where), "label": boxes.number(label, row.where)}


def _box_labels(row: Row) -> Iterable[Any]:
    objects = row.values.get(_BOXES)
    if objects is None:
        return ()
    labels = _first(objects, ("categories", "category")) if isinstance(objects, dict) else None
    if not isinstance(labels, list):
        raise DataError(
            f"{row.where}: objects: expected boxes in 'bbox' and their classes in 'categories'"
        )
    return labels


def _first(values: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((values[name] for name in names if values.get(name) is not None), None)
