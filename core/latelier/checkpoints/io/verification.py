"""Checking a file against its hash, once.

Small files are hashed each time. That a large one matched is remembered under its path, size,
modification time and inode, so that loading it again stays mapped and lazy.
"""

import json
from pathlib import Path

from latelier.contracts.errors import ModelFileError
from latelier.io.atomic import write_json
from latelier.io.hashing import sha256_of
from latelier.io.user_folders import cache_folder

ALWAYS_BELOW = 64 * 2**20
"""Bytes below which a file is hashed each time."""


def verify(path: Path, sha256: str, *, again: bool = False) -> Path:
    """Return `path` if its SHA-256 is `sha256`.

    Args:
        path: the file.
        sha256: what the manifest says.
        again: hash it even where it is known.

    Raises:
        ModelFileError: it is missing or does not match.
    """
    try:
        status = path.stat()
        mark = [sha256, status.st_size, status.st_mtime_ns, status.st_ino]
        large = status.st_size >= ALWAYS_BELOW
        if large and not again and _known().get(str(path.resolve())) == mark:
            return path
        found = sha256_of(path)
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path}: cannot be read: {error}") from None
    if found != sha256:
        raise ModelFileError(
            f"{path}: its SHA-256 is {found[:12]}..., the manifest says {sha256[:12]}...: the file "
            "is damaged, was changed, or is of another model; fetch it again"
        )
    if large:
        _remember(str(path.resolve()), mark)
    return path


def _file() -> Path:
    return cache_folder("verified") / "files.json"


def _known() -> dict[str, list[object]]:
    try:
        known = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _remember(path: str, mark: list[object]) -> None:
    try:
        write_json(_file(), {**_known(), path: mark})
    except OSError:
        return  # a cache that cannot be written only costs time
