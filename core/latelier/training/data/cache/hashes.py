"""Hashes of the files of a data set, which are read again only where a file has changed."""

import hashlib
import json
from pathlib import Path

from latelier.data.manifest.record import FileRange
from latelier.data.pictures import UnusableError, read_bytes
from latelier.io.atomic import write_bytes

HASHES_FILE = "hashes.json"

_Stat = tuple[int, int]
"""Size in bytes, and time of the last change in nanoseconds."""


class FileHashes:
    """SHA-256 of files and ranges of shards, each with the size and time of its file."""

    def __init__(self, table: dict[str, list[int | str]] | None = None) -> None:
        """Create the table; one without entries reads every file again."""
        self._table = table or {}
        self._stats: dict[Path, _Stat] = {}
        self.changed = False

    def get(self, root: Path, place: FileRange) -> str:
        """Return the SHA-256 of a place.

        Raises:
            UnusableError: it cannot be read.
        """
        path = (root / place.path).absolute()
        stat = self._stat(path)
        name = str(path) if place.file else f"{path}@{place.offset}+{place.length}"
        known = self._table.get(name)
        if known is not None and (known[0], known[1]) == stat:
            return str(known[2])
        sha256 = hashlib.sha256(read_bytes(root, place)).hexdigest()
        self._table[name] = [*stat, sha256]
        self.changed = True
        return sha256

    def save(self, folder: Path) -> None:
        """Write the table into the folder of a cache."""
        write_bytes(folder / HASHES_FILE, json.dumps(self._table).encode())
        self.changed = False

    def _stat(self, path: Path) -> _Stat:
        if path not in self._stats:
            try:
                stat = path.stat()
            except OSError as error:
                raise UnusableError(error.strerror or str(error)) from None
            self._stats[path] = (stat.st_size, stat.st_mtime_ns)
        return self._stats[path]


def read_hashes(folder: Path) -> FileHashes:
    """Return the hashes of a cache; a table that is missing or damaged is empty."""
    try:
        table = json.loads((folder / HASHES_FILE).read_bytes())
    except (OSError, ValueError):
        return FileHashes()
    return FileHashes(table if isinstance(table, dict) else None)
