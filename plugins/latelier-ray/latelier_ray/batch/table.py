"""Rows of Parquet, JSONL and CSV files."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from latelier.contracts.errors import DataError

_BATCH = 1024
"""Rows of a Parquet file that are in memory at a time."""


@dataclass(frozen=True)
class Row:
    """A row of a file.

    Attributes:
        place: file and line, or file and row, counted from 1.
        values: by column, without those that are empty.
        is_text: whether all values are texts, since the file has no types.
    """

    place: str
    values: Mapping[str, Any]
    is_text: bool = False


def find_files(place: str) -> list[Path]:
    """Return the files of a file, folder or glob pattern, sorted by name.

    Raises:
        DataError: there are none, or one is of another type.
    """
    path = Path(place)
    if path.is_dir():
        files = [each for each in path.iterdir() if each.suffix.lower() in _READERS]
    elif path.is_file() or not has_magic(place):
        files = [path]
    else:
        files = [Path(each) for each in glob(place, recursive=True)]  # noqa: PTH207
    if not files:
        raise DataError(f"{place}: has no file with rows; expected {', '.join(_READERS)}")
    for each in files:
        if each.suffix.lower() not in _READERS:
            raise DataError(f"{each}: expected a file of rows: {', '.join(_READERS)}")
        if not each.is_file():
            raise DataError(f"{each}: file not found")
    return sorted(files)


def read_rows(files: Sequence[Path]) -> Iterator[Row]:
    """Yield the rows of all files in order.

    Raises:
        DataError: a file cannot be read, or is damaged.
    """
    for path in files:
        try:
            yield from _READERS[path.suffix.lower()](path)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: expected text in UTF-8: {error}") from None


def _read_lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            place = f"{path}, line {number}"
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{place}: cannot be read as JSON: {error}") from None
            if not isinstance(values, dict):
                raise DataError(f"{place}: expected a JSON object with the columns of a row")
            yield Row(place, {name: each for name, each in values.items() if each is not None})


def _read_csv(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            for values in reader:
                place = f"{path}, line {reader.line_num}"
                if None in values:
                    raise DataError(f"{place}: has more cells than the first line has names")
                yield Row(place, {name: each for name, each in values.items() if each}, True)
        except csv.Error as error:
            raise DataError(f"{path}, line {reader.line_num}: {error}") from None


def _read_parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for values in batch.to_pylist():
                    number += 1
                    given = {name: each for name, each in values.items() if each is not None}
                    yield Row(f"{path}, row {number}", given)
    except pa.ArrowException as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from None


_READERS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    ".parquet": _read_parquet,
    ".jsonl": _read_lines,
    ".ndjson": _read_lines,
    ".csv": _read_csv,
}
