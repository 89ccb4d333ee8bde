"""All rows are checked before anything is started."""

import hashlib
import json
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from latelier.contracts.errors import InvalidInputError, LatelierError

from latelier_ray.batch.model import RequestChecker
from latelier_ray.batch.requests import RequestReader, read_id
from latelier_ray.batch.table import Row, read_rows

_MAX_NAMED = 10
"""Most rows at fault that an error names; all are counted."""


@dataclass(frozen=True)
class TableFacts:
    """What was found in the rows of a table.

    Attributes:
        count: number of rows.
        sha256: of all requests, in their order.
    """

    count: int
    sha256: str


def check_table(
    files: Sequence[Path], reader: RequestReader, checker: RequestChecker
) -> TableFacts:
    """Check all rows, and that no two have one id. A row takes 8 bytes of memory.

    Args:
        files: of the table.
        reader: makes requests of rows.
        checker: of the model.

    Raises:
        InvalidInputError: there are no rows, or rows at fault; the error counts them and names the
            first ten with file, line and id.
        DataError: a file cannot be read.
    """
    digest, hashes, faults, count = hashlib.sha256(), array("Q"), list[str](), 0
    for row in read_rows(files):
        try:
            each = reader.read(row)
            checker.check(each)
        except LatelierError as error:
            count += 1
            if len(faults) < _MAX_NAMED:
                faults.append(f"{_name(row)}: {error}")
            continue
        hashes.append(_hash(each.id))
        digest.update(json.dumps([each.id, each.request], sort_keys=True).encode() + b"\n")
    if count:
        raise _explain(f"{count:,} rows cannot be drawn", faults)
    if not hashes:
        raise InvalidInputError(f"{files[0]}: there are no rows")
    _check_unique(files, hashes, named_files=reader.named_files)
    return TableFacts(len(hashes), digest.hexdigest())


def _check_unique(files: Sequence[Path], hashes: "array[int]", *, named_files: bool) -> None:
    ordered = np.sort(np.frombuffer(hashes, dtype=np.uint64))
    twice = set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
    if not twice:
        return
    first, found = dict[str, str](), list[str]()
    for row, name in _rows_of(files, twice, named_files=named_files):
        if name in first:  # not only the hash of another id
            found.append(f"{row.place} (id {name}): is that of {first[name]} too")
        else:
            first[name] = row.place
    if found:
        raise _explain(f"{len(found):,} ids are given twice", found[:_MAX_NAMED])


def _rows_of(
    files: Sequence[Path], hashes: Collection[int], *, named_files: bool
) -> Iterator[tuple[Row, str]]:
    for row in read_rows(files):
        name = read_id(row.values["id"], named_files=named_files)
        if _hash(name) in hashes:
            yield row, name


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())


def _name(row: Row) -> str:
    name = row.values.get("id")
    return row.place if name is None else f"{row.place} (id {str(name)[:80]})"


def _explain(what: str, faults: Sequence[str]) -> InvalidInputError:
    lines = "".join(f"\n  {each}" for each in faults)
    return InvalidInputError(f"{what}, and nothing was started:{lines}")
