"""Checking a file against its SHA-256.

Small files are hashed on every load. A match of a large file is cached under its path, size,
modification time and inode, so that loading it again stays mapped and lazy.
"""

import json
from pathlib import Path

from latelier.contracts.errors import ModelFileError
from latelier.io.atomic import write_json
from latelier.io.hashing import sha256_of
from latelier.io.user_folders import cache_folder

CACHE = "verified"
"""The folder of the user's caches that holds the matches."""

ALWAYS_BELOW = 64 * 2**20
"""Bytes below which a file is hashed on every load."""


def verify(path: Path, sha256: str, *, use_cache: bool = True) -> Path:
    """Return `path` after checking that its SHA-256 is `sha256`.

    Args:
        path: of the file.
        sha256: the hash in the manifest.
        use_cache: whether an earlier match of a large file counts.

    Raises:
        ModelFileError: the file is missing or does not match.
    """
    try:
        status = path.stat()
        large = status.st_size >= ALWAYS_BELOW
        key = str(path.resolve())
        entry = [sha256, status.st_size, status.st_mtime_ns, status.st_ino]
        if large and use_cache and _read_cache().get(key) == entry:
            return path
        found = sha256_of(path)
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path}: cannot be read: {error}") from None
    if found != sha256:
        raise ModelFileError(
            f"{path}: its SHA-256 is {found[:12]}..., the manifest says {sha256[:12]}...: the file "
            "is damaged, was changed, or belongs to another model; fetch it again"
        )
    if large:
        _write_cache({**_read_cache(), key: entry})
    return path


def _cache_file() -> Path:
    return cache_folder(CACHE) / "files.json"


def _read_cache() -> dict[str, list[object]]:
    try:
        entries = json.loads(_cache_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}


def _write_cache(entries: dict[str, list[object]]) -> None:
    try:
        write_json(_cache_file(), entries)
    except OSError:
        return  # without the cache the next load only takes longer
