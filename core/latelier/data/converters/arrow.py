"""Data sets of Hugging Face `datasets` on disk (`save_to_disk`): Arrow files.

Pictures stay where they are: a record has the place of its picture's bytes in the Arrow file, so
training needs neither `datasets` nor `pyarrow`. Columns are those of `rows`; the picture is the
column of type Image named image, img, picture or jpg, or else the only one. Columns of type Image
named mask and semantic_map are its mask and map.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from latelier.contracts.errors import DataError
from latelier.contracts.messages import suggestion
from latelier.data.converters.rows import CLASS_COLUMNS, Row, add_rows
from latelier.data.manifest.manifest import Manifest, ManifestBuilder
from latelier.data.manifest.record import check_relative

STATE_FILE = "state.json"
SPLITS_FILE = "dataset_dict.json"

_PICTURES = ("image", "img", "picture", "jpg")
_MAPS = ("semantic_map", "mask")


def convert_arrow(folder: Path, split: str | None = None) -> Manifest:
    """Return the manifest of a data set that `save_to_disk` wrote.

    Args:
        folder: of the data set.
        split: of several splits, the one to take; None: the one named train, or the only one.

    Raises:
        DataError: pyarrow is not installed, the split or a file is missing or damaged, or no column
            has pictures.
    """
    if (folder / SPLITS_FILE).is_file():
        folder = folder / _choose_split(folder, split)
    elif split is not None:
        raise DataError(f"{folder}: has no splits, so there is no '{split}'")
    features = _read_json(folder / "dataset_info.json").get("features")
    if not isinstance(features, dict):
        raise DataError(f"{folder}: dataset_info.json lists no features")
    files = _list_files(folder / STATE_FILE)
    builder = ManifestBuilder(str(folder), folder)
    rows = [row for file in files for row in _read_rows(builder, folder, file, features)]
    return builder.build(add_rows(builder, folder, rows, _class_names(features)))


def _list_files(path: Path) -> list[str]:
    """Return the Arrow files that a state file lists."""
    listed = _read_json(path).get("_data_files", [])
    if isinstance(listed, list):
        names = [each.get("filename") for each in listed if isinstance(each, dict)]
        files = [name for name in names if isinstance(name, str)]
        if len(files) == len(listed):
            for name in files:
                _check_within(name, path)
            return files
    raise DataError(f"{path}: '_data_files': expected a list of objects with a 'filename'")


def _check_within(name: str, path: Path) -> None:
    """Check that a name in a file of the data set leads to no other folder."""
    try:
        check_relative(name)
    except ValueError:
        raise DataError(f"{path}: expected names below its folder, got '{name}'") from None


def _choose_split(folder: Path, split: str | None) -> str:
    path = folder / SPLITS_FILE
    listed = _read_json(path).get("splits", [])
    if not isinstance(listed, list):
        raise DataError(f"{path}: 'splits': expected a list of names")
    splits = [str(each) for each in listed]
    chosen = split or (splits[0] if len(splits) == 1 else "train")
    if chosen not in splits:
        raise DataError(f"{folder}: there is no split '{chosen}'. {suggestion(chosen, splits)}")
    _check_within(chosen, path)
    return chosen


def _read_rows(
    builder: ManifestBuilder, folder: Path, file: str, features: Mapping[str, Any]
) -> Iterator[Row]:
    """Yield the rows of an Arrow file."""
    pyarrow = _import_pyarrow()
    pictures = [name for name, each in features.items() if _is_picture(each)]
    column = _picture_column(folder, pictures)
    try:
        with pyarrow.memory_map(str(folder / file)) as mapped:
            whole = mapped.read_buffer()
            first = 0
            for batch in pyarrow.ipc.open_stream(pyarrow.BufferReader(whole)):
                others = batch.select([name for name in batch.schema.names if name not in pictures])
                places = {
                    name: _find_bytes(batch.column(name), whole, file)
                    for name in (column, *(each for each in _MAPS if each in pictures))
                }
                for number, values in enumerate(others.to_pylist()):
                    where = f"{folder / file}, row {first + number}"
                    found = {name: each[number] for name, each in places.items()}
                    picture = found.pop(column)
                    if picture is None:
                        builder.skip(where, "its picture is a path outside of the data set")
                        continue
                    maps = {name: place for name, place in found.items() if place is not None}
                    yield Row(_keep_json(values), picture, where, maps)
                first += len(batch)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{folder / file}: cannot be read: {error}") from None


def _find_bytes(column: Any, whole: Any, file: str) -> list[dict[str, Any] | None]:
    """Return the place of each picture of a column of structures (bytes, path) in its file."""
    if not hasattr(column, "field"):
        raise DataError(f"{file}: expected pictures as structures of bytes and path")
    values = column.field("bytes")
    wide = "large" in str(values.type)
    _, ends, data = values.buffers()
    if data is None or data.size == 0:
        return [None] * len(values)
    start = data.address - whole.address
    if not 0 <= start < whole.size:
        raise DataError(f"{file}: is compressed; save the data set without compression")
    import numpy as np

    ends = np.frombuffer(ends, dtype=np.int64 if wide else np.int32)[values.offset :]
    lengths = np.diff(ends[: len(values) + 1])
    return [
        {"shard": file, "offset": start + int(end), "length": int(length)} if length else None
        for end, length in zip(ends, lengths)
    ]


def _picture_column(folder: Path, pictures: list[str]) -> str:
    candidates = [name for name in pictures if name not in _MAPS]
    named = [name for name in _PICTURES if name in candidates]
    if named or len(candidates) == 1:
        return (named or candidates)[0]
    found = ", ".join(candidates) or "none"
    raise DataError(f"{folder}: expected one column of pictures named 'image', found {found}")


def _is_picture(feature: Any) -> bool:
    return isinstance(feature, dict) and feature.get("_type") == "Image"


def _class_names(features: Mapping[str, Any]) -> list[str]:
    for name in CLASS_COLUMNS:
        feature = features.get(name)
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
            return [str(each) for each in feature.get("names", ())]
    return []


def _keep_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that JSON has a form for, without empty ones."""
    kept = {}
    for name, value in values.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            continue
        if value is not None:
            kept[name] = value
    return kept


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected the JSON of a data set on disk ({error})") from None
    if not isinstance(values, dict):
        raise DataError(f"{path}: expected the JSON of a data set on disk")
    return values


def _import_pyarrow() -> Any:
    try:
        import pyarrow as pa
        import pyarrow.ipc
    except ImportError:
        raise DataError("this data set needs pyarrow: pip install 'latelier[arrow]'") from None
    return pa
