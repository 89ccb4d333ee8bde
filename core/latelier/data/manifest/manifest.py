"""A manifest in memory, and as a JSON-lines file."""

import json
import os
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from latelier.contracts.errors import DataError
from latelier.contracts.frozen import validate
from latelier.contracts.messages import shorten
from latelier.data.manifest.record import Header, Record
from latelier.data.manifest.root import ManifestRoot
from latelier.io.atomic import atomic_file

HEADER_KEY = "latelier_manifest"
"""The key by which the first line of a file is a header."""


_MAX_FAULTS = 10
"""Most invalid lines that an error lists."""


class Annotation(IntFlag):
    """What a record says about its picture."""

    CAPTION = 1
    CLASS = 2
    BOXES = 4
    MAP = 8
    MASK = 16


@dataclass(frozen=True)
class Skipped:
    """A file that a converter left out.

    Attributes:
        name: Its name.
        reason: Why it cannot be used.
    """

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Manifest:
    """The records of a data set.

    A record is parsed when it is read: a million of them as objects would take gigabytes.

    Attributes:
        origin: What it was read from, for messages.
        root: Folder that all paths are relative to.
        header: Names of classes and labels.
        lines: Records as JSON lines.
        ends: End of each record in `lines`, (N,).
        sizes: Width and height of each upright picture, (N, 2); 0 where it is not known.
        annotations: Flags of `Annotation` of each record, (N,).
        skipped: Files that a converter left out.
    """

    origin: str
    root: Path
    header: Header
    lines: bytes
    ends: NDArray[np.int64]
    sizes: NDArray[np.int32]
    annotations: NDArray[np.uint8]
    skipped: tuple[Skipped, ...] = ()

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.ends)

    def __getitem__(self, number: int) -> Record:
        """Return record `number`, from 0."""
        start = int(self.ends[number - 1]) if number else 0
        return Record.model_validate_json(self.lines[start : int(self.ends[number])])

    def __iter__(self) -> Iterator[Record]:
        """Yield all records in order."""
        return (self[number] for number in range(len(self)))


class ManifestBuilder:
    """Collects records into a manifest."""

    def __init__(self, origin: str, root: Path, header: Header | None = None) -> None:
        self._origin = origin
        self._root = root
        self._header = header or Header()
        self._lines: list[bytes] = []
        self._sizes: list[tuple[int, int]] = []
        self._annotations: list[int] = []
        self._skipped: list[Skipped] = []

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._lines)

    def add(self, record: Record) -> None:
        """Append a record."""
        line = record.model_dump_json(exclude_defaults=True).encode() + b"\n"
        self._append(record, line)

    def add_line(self, line: bytes, where: str) -> Record:
        """Append the record of a JSON line and return it; `where` names the line in errors.

        Raises:
            DataError: the line is not the JSON of a record.
        """
        record = _parse_record(line, where)
        self._append(record, line if line.endswith(b"\n") else line + b"\n")
        return record

    def skip(self, name: str, reason: str) -> None:
        """Note a file that cannot be used."""
        self._skipped.append(Skipped(name, reason))

    def build(self, header: Header | None = None) -> Manifest:
        """Return the manifest.

        Args:
            header: of the manifest, where it is known only at the end.

        Raises:
            DataError: there is no record.
        """
        if not self._lines:
            first = f": {self._skipped[0].name}: {self._skipped[0].reason}" if self._skipped else ""
            raise DataError(f"{self._origin}: no pictures found{first}")
        return Manifest(
            self._origin,
            self._root,
            header or self._header,
            b"".join(self._lines),
            np.cumsum([len(line) for line in self._lines], dtype=np.int64),
            np.array(self._sizes, dtype=np.int32).reshape(-1, 2),
            np.array(self._annotations, dtype=np.uint8),
            tuple(self._skipped),
        )

    def _append(self, record: Record, line: bytes) -> None:
        self._lines.append(line)
        self._sizes.append((record.width or 0, record.height or 0))
        self._annotations.append(_annotations_of(record))


def read_manifest(path: Path, root: Path | None = None) -> Manifest:
    """Read a JSON-lines file of records, whose first line may be a header.

    Args:
        path: of the file.
        root: folder that its paths are relative to, whose links are followed; None: that of the
            header, which must be in the folder of the file, and no link may lead out of it.

    Raises:
        DataError: the file cannot be read or is empty, or it leads out of its folder, or a line is
            not a record; the error has the numbers of the first such lines.
    """
    lines = _read_lines(path)
    header, first = _split_header(lines, path)
    place = ManifestRoot(path, header, root)
    builder = ManifestBuilder(str(path), place.path, header)
    faults = []
    for number, line in enumerate(lines[first:], start=first + 1):
        if line.strip():
            try:
                record = builder.add_line(line, f"line {number}")
            except DataError as error:
                faults.append(str(error))
            else:
                place.check(record)
    if faults:
        more = f"; and {len(faults) - _MAX_FAULTS} more" if len(faults) > _MAX_FAULTS else ""
        raise DataError(f"{path}, {'; '.join(faults[:_MAX_FAULTS])}{more}")
    return builder.build()


def read_root(path: Path) -> Path:
    """Return the root that the header of a manifest of our own names, wherever it is.

    Raises:
        DataError: the file cannot be read, or its header is invalid.
    """
    return path.parent / _split_header(_read_lines(path, _read_first_line), path)[0].root


def write_manifest(manifest: Manifest, path: Path, *, replace: bool = True) -> None:
    """Write a manifest as JSON lines, atomically, with its root relative to the file.

    Raises:
        OSError: the file cannot be written.
    """
    header = relocate_header(manifest, path)
    with atomic_file(path, replace=replace) as partial, partial.open("wb") as file:
        values = {HEADER_KEY: 1, **header.model_dump(mode="json", exclude_defaults=True)}
        file.write(json.dumps(values, ensure_ascii=False).encode() + b"\n")
        file.write(manifest.lines)


def relocate_header(manifest: Manifest, path: Path) -> Header:
    """Return the header of a manifest that is written to `path`."""
    root = manifest.root.resolve()
    try:
        relative = Path(os.path.relpath(root, path.parent.resolve()))
    except ValueError:  # another drive
        relative = root
    return manifest.header.model_copy(update={"root": relative.as_posix()})


def _read_lines(path: Path, read: Callable[[Path], bytes] = Path.read_bytes) -> list[bytes]:
    try:
        return read(path).removeprefix(BOM_UTF8).splitlines(keepends=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def _read_first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline()


def _split_header(lines: Sequence[bytes], path: Path) -> tuple[Header, int]:
    """Return the header of a file, and the place of its first record."""
    if not lines or HEADER_KEY.encode() not in lines[0]:
        return Header(), 0
    values = _parse_json(lines[0], f"{path}, line 1")
    return validate(Header, values, f"{path}, line 1", DataError), 1


def missing_annotations(manifest: Manifest, kind: Annotation) -> list[int]:
    """Return the numbers of the records without an annotation."""
    return np.flatnonzero((manifest.annotations & kind) == 0).tolist()


def _annotations_of(record: Record) -> int:
    flags = {
        Annotation.CAPTION: bool(record.captions),
        Annotation.CLASS: record.class_label is not None,
        Annotation.BOXES: record.boxes is not None,
        Annotation.MAP: record.semantic_map is not None,
        Annotation.MASK: record.mask is not None,
    }
    return sum(flag for flag, given in flags.items() if given)


def _parse_record(line: bytes, where: str) -> Record:
    try:
        return Record.model_validate_json(line)
    except ValidationError:  # the slower way has the message
        return validate(Record, _parse_json(line, where), where, DataError)


def _parse_json(line: bytes, where: str) -> dict[str, object]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: expected a JSON object ({error})") from None
    if not isinstance(values, dict):
        raise DataError(f"{where}: expected a JSON object, got {shorten(str(values))!r}")
    return values
