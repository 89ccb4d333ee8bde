"""Files metadata.jsonl and metadata.csv, as the image folders of Hugging Face `datasets` have them.

Each row has `file_name`, relative to the file of metadata, and may have `semantic_map_file_name`
and `mask_file_name`; for the other columns see `rows`.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from latelier.contracts.errors import DataError
from latelier.data.converters.rows import Row, add_rows
from latelier.data.manifest.manifest import ManifestBuilder
from latelier.data.manifest.record import Header

METADATA_FILES = ("metadata.jsonl", "metadata.csv")

_SUFFIX = "file_name"
_MAPS = ("semantic_map", "mask")


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
    header = add_rows(builder, folder, rows)
    places = [place for row in rows for place in (row.picture, *row.maps.values())]
    known = {str(PurePosixPath(place["file"])) for place in places}
    for name in pictures:
        if name not in known:
            builder.skip(name, f"no row of {' or '.join(metadata[:3])} names it")
    return header


def _read_rows(folder: Path, name: str) -> Iterator[Row]:
    path, parent = folder / name, PurePosixPath(name).parent
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise DataError(f"{path}: expected UTF-8 text ({error})") from None
    read = _read_csv if name.endswith(".csv") else _read_json_lines
    for number, values in read(text, path):
        where = f"{path}, line {number}"
        files = {
            column: {"file": str(parent / str(values.pop(column)))}
            for column in (_SUFFIX, *(f"{each}_{_SUFFIX}" for each in _MAPS))
            if values.get(column) is not None
        }
        if _SUFFIX not in files:
            raise DataError(f"{where}: expected the column '{_SUFFIX}', the name of a picture")
        picture = files.pop(_SUFFIX)
        maps = {column.removesuffix(f"_{_SUFFIX}"): place for column, place in files.items()}
        yield Row(values, picture, where, maps)


def _read_json_lines(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}, line {number}: invalid JSON ({error})") from None
            if not isinstance(values, dict):
                raise DataError(f"{path}, line {number}: expected a JSON object")
            yield number, values


def _read_csv(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
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
