"""Files metadata.jsonl and metadata.csv, as the image folders of Hugging Face `datasets` have them.

Each row has `file_name`, relative to the file of metadata. Columns with a meaning here:

    text, caption, prompt, captions   caption, or a list of them
    label, class, class_label         number or name of the class
    objects                           {"bbox": [[x, y, width, height], ...] in pixels,
                                      "categories": [number or name, ...]}
    semantic_map_file_name, mask_file_name
    weight, width, height, id         as in a manifest

All other columns are inputs of other conditioners, by their names.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from latelier.contracts.errors import DataError
from latelier.contracts.frozen import validate
from latelier.data.converters.boxes import convert_box
from latelier.data.converters.names import NameTable
from latelier.data.manifest.manifest import ManifestBuilder
from latelier.data.manifest.record import FileRange, Header, Record
from latelier.data.pictures import UnusableError, read_size

METADATA_FILES = ("metadata.jsonl", "metadata.csv")

_FILE = "file_name"
_CAPTIONS = ("captions", "caption", "text", "prompt")
_CLASSES = ("class_label", "label", "class")
_SAME = ("weight", "width", "height", "id")


def add_metadata(
    builder: ManifestBuilder, folder: Path, metadata: Sequence[str], pictures: Sequence[str]
) -> Header:
    """Add the records of metadata files, and return the header with the names of classes.

    Pictures that no file of metadata names are skipped with that reason.

    Args:
        builder: takes the records.
        folder: of the data set.
        metadata: paths of the metadata files in it.
        pictures: paths of all pictures in it.

    Raises:
        DataError: a row is not valid, or names a file outside of the folder; the error has the
            number of the line.
    """
    rows = [row for name in metadata for row in _read_rows(folder, name)]
    classes = NameTable(_first(row.values, _CLASSES) for row in rows)
    boxes = NameTable(label for row in rows for label in _box_labels(row.values, row.where))
    known = set()
    for row in rows:
        record = _convert_row(row, folder, classes, boxes)
        builder.add(record)
        places = (record, record.semantic_map, record.mask)
        known |= {place.file for place in places if place is not None}
    for name in pictures:
        if name not in known:
            builder.skip(name, f"no row of {' or '.join(metadata[:3])} names it")
    return Header(class_names=classes.names, box_names=boxes.names)


class _Row:
    """A row of metadata: its values, the folder its files are relative to, and its place."""

    def __init__(self, values: dict[str, Any], folder: str, where: str) -> None:
        self.values = values
        self.folder = PurePosixPath(folder)
        self.where = where


def _read_rows(folder: Path, name: str) -> Iterator[_Row]:
    path = folder / name
    parent = str(PurePosixPath(name).parent)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise DataError(f"{path}: expected UTF-8 text ({error})") from None
    read = _read_csv if name.endswith(".csv") else _read_json_lines
    for number, values in read(text, path):
        where = f"{path}, line {number}"
        if not isinstance(values.get(_FILE), str):
            raise DataError(f"{where}: expected the column '{_FILE}', the name of a picture")
        yield _Row(values, parent, where)


def _read_json_lines(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}, line {number}: invalid JSON ({error})") from None
            if not isinstance(values, dict):
                raise DataError(f"{path}, line {number}: expected a JSON object")
            yield number, values


def _read_csv(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(text.splitlines())
    try:
        for values in reader:
            if None in values or None in values.values():
                raise DataError(
                    f"{path}, line {reader.line_num}: expected {len(reader.fieldnames or ())} "
                    "columns, as in the first line"
                )
            yield reader.line_num, {key: value for key, value in values.items() if value != ""}
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: invalid CSV ({error})") from None


def _convert_row(row: _Row, folder: Path, classes: NameTable, boxes: NameTable) -> Record:
    values, where = row.values, row.where
    record: dict[str, Any] = {name: values[name] for name in _SAME if name in values}
    record["file"] = str(row.folder / values[_FILE])
    captions = _first(values, _CAPTIONS)
    if captions is not None:
        record["captions"] = captions if isinstance(captions, list) else [captions]
    label = _first(values, _CLASSES)
    if label is not None:
        record["class_label"] = classes.number(label, where)
    for name in ("semantic_map", "mask"):
        if f"{name}_file_name" in values:
            record[name] = {"file": str(row.folder / values[f"{name}_file_name"])}
    if "objects" in values:
        record["boxes"] = _convert_objects(row, record, folder, boxes)
    record["fields"] = {
        name: value for name, value in values.items() if name not in _meaningful_columns()
    }
    return validate(Record, record, where, DataError)


def _convert_objects(
    row: _Row, record: Mapping[str, Any], folder: Path, boxes: NameTable
) -> list[dict[str, Any]]:
    labels = list(_box_labels(row.values, row.where))
    rectangles = row.values["objects"].get("bbox")
    if not isinstance(rectangles, list) or len(rectangles) != len(labels):
        raise DataError(
            f"{row.where}: objects: expected as many boxes in 'bbox' as classes in 'categories'"
        )
    if not rectangles:
        return []
    try:
        size = read_size(
            folder, validate(FileRange, {"file": record["file"]}, row.where, DataError)
        )
    except UnusableError as error:
        raise DataError(f"{row.where}: {record['file']}: {error}") from None
    return [
        {"box": convert_box(box, size, row.where), "label": boxes.number(label, row.where)}
        for box, label in zip(rectangles, labels, strict=True)
    ]


def _box_labels(values: Mapping[str, Any], where: str) -> Iterator[Any]:
    objects = values.get("objects")
    if objects is None:
        return
    if not isinstance(objects, dict):
        raise DataError(f"{where}: objects: expected 'bbox' and 'categories'")
    labels = _first(objects, ("categories", "category"))
    if not isinstance(labels, list):
        raise DataError(f"{where}: objects: boxes need a list of classes, 'categories'")
    yield from labels


def _first(values: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((values[name] for name in names if values.get(name) is not None), None)


def _meaningful_columns() -> frozenset[str]:
    files = ("semantic_map_file_name", "mask_file_name", _FILE, "objects")
    return frozenset({*_CAPTIONS, *_CLASSES, *_SAME, *files})
