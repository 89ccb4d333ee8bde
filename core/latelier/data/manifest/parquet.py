"""Manifests as Parquet files, which other tools read; they need pyarrow."""

import json
from pathlib import Path
from typing import Any

from latelier.contracts.errors import DataError
from latelier.contracts.frozen import validate
from latelier.data.manifest.manifest import HEADER_KEY, Manifest, ManifestBuilder, relocate_header
from latelier.data.manifest.record import Header
from latelier.data.manifest.root import ManifestRoot
from latelier.io.atomic import atomic_file

_SCALARS = ("file", "shard", "offset", "length", "id", "width", "height", "class_label", "weight")


def read_parquet(path: Path, root: Path | None = None) -> Manifest:
    """Read a manifest that `write_parquet` wrote, or another tool in the same columns.

    Args:
        path: of the file.
        root: folder that its paths are relative to; see `read_manifest`.

    Raises:
        DataError: pyarrow is not installed, or the file cannot be read, is empty, or leads out of
            its folder, or a row is not a record; the error has the number of the row.
    """
    pyarrow, parquet = _import_parquet()
    try:
        table = parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{path}: expected a Parquet file ({error})") from None
    metadata = table.schema.metadata or {}
    try:
        stored = json.loads(metadata.get(HEADER_KEY.encode(), b"{}"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: '{HEADER_KEY}': expected JSON ({error})") from None
    header = validate(Header, stored, str(path), DataError)
    place = ManifestRoot(path, header, root)
    builder = ManifestBuilder(str(path), place.path, header)
    number = 0
    for batch in table.to_batches():
        for row in batch.to_pylist():
            number += 1
            where = f"{path}, row {number}"
            place.check(builder.add_line(_to_line(row, where), where))
    return builder.build()


def write_parquet(manifest: Manifest, path: Path, *, replace: bool = True) -> None:
    """Write a manifest: single values as columns, lists and mappings as columns of JSON.

    Raises:
        DataError: pyarrow is not installed.
        OSError: the file cannot be written.
    """
    pyarrow, parquet = _import_parquet()
    rows = [_to_row(json.loads(line)) for line in manifest.lines.splitlines()]
    names = sorted({name for row in rows for name in row})
    columns = {name: [row.get(name) for row in rows] for name in names}
    header = relocate_header(manifest, path).model_dump_json(exclude_defaults=True)
    table = pyarrow.table(columns).replace_schema_metadata({HEADER_KEY: header})
    with atomic_file(path, replace=replace) as partial:
        parquet.write_table(table, partial)


def _to_row(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value if name in _SCALARS else json.dumps(value, ensure_ascii=False)
        for name, value in values.items()
    }


def _to_line(row: dict[str, Any], where: str) -> bytes:
    values = {}
    for name, value in row.items():
        if value is None:
            continue
        try:
            # other tools may have written lists as lists
            is_json = name not in _SCALARS and isinstance(value, str)
            values[name] = json.loads(value) if is_json else value
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: '{name}': expected JSON ({error})") from None
    try:
        return json.dumps(values).encode()
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: {error}") from None


def _import_parquet() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise DataError(
            "manifests as Parquet need pyarrow: pip install 'latelier[arrow]'; a manifest as JSON "
            "lines (.jsonl) needs nothing"
        ) from None
    return pa, pq
