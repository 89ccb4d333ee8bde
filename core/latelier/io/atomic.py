"""Atomic writes: what a path names is the old content or the new, and never a part of it.

Data goes into a temporary file or folder in the same folder, is flushed to the disk, and is then
renamed. A failure, an interrupt or a full disk removes the temporary one and leaves the path as it
was. A link is followed, so that it still is a link afterwards.
"""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.part")


@contextmanager
def atomic_file(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Yield a temporary path; on success the file written there becomes `path`.

    Missing folders are made. A file that is replaced passes on its mode.

    Args:
        path: of the file. Its name may be as long as the file system allows.
        replace: False: do not replace a file, even if it appears while the new one is written.

    Raises:
        FileExistsError: there is a file and `replace` is False, or `path` is a device or a pipe.
        IsADirectoryError: `path` is a folder.
        OSError: the file cannot be written.
    """
    path = Path(os.path.realpath(path))
    _check_destination(path, replace)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_path(path)
    try:
        yield temporary
        if path.exists():
            shutil.copymode(path, temporary)
        _flush(temporary)
        if replace:
            temporary.replace(path)
        else:
            _move_without_replacing(temporary, path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Yield an empty temporary folder; on success it becomes `path`.

    Args:
        path: of the folder.
        replace: False: do not replace what `path` names, even if it appears while the folder is
            filled.

    Raises:
        FileExistsError: `path` exists and `replace` is False.
        OSError: the folder cannot be written.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not replace:
        raise _exists(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_path(path)
    temporary.mkdir()
    try:
        yield temporary
        if path.exists() and not replace:
            raise _exists(path)
        move_folder(temporary, path)
    finally:
        _remove(temporary)


def move_folder(filled: Path, path: Path) -> None:
    """Flush a filled folder to the disk and rename it to `path`, beside it, which it replaces.

    Raises:
        OSError: the folder cannot be flushed or renamed; `path` is as it was.
    """
    former = _temporary_path(path)
    _flush_folder(filled)
    try:
        if path.exists():
            path.rename(former)  # a folder that is not empty cannot be replaced in one step
        filled.rename(path)
        _flush(path.parent)
    finally:
        if former.exists() and not path.exists():
            former.rename(path)
        _remove(former)


def write_bytes(path: Path, data: bytes, *, replace: bool = True) -> str:
    """Write a file with `atomic_file` and return its SHA-256.

    Raises:
        OSError: see `atomic_file`.
    """
    with atomic_file(path, replace=replace) as temporary:
        temporary.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def write_json(path: Path, value: Any, *, replace: bool = True) -> str:
    """Write `value` as indented JSON with `atomic_file` and return the file's SHA-256.

    Raises:
        OSError: see `atomic_file`.
        TypeError: JSON has no form for `value`; nothing is written.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return write_bytes(path, f"{text}\n".encode(), replace=replace)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files and folders that killed processes left in a folder.

    Only for a folder that no other process writes into.
    """
    for path in folder.glob(".*.part"):
        if _TEMPORARY.fullmatch(path.name):
            _remove(path)


def _temporary_path(path: Path) -> Path:
    # independent of the name of `path`, which may be as long as the file system allows
    return path.with_name(f".{uuid4().hex[:16]}.part")


def _check_destination(path: Path, replace: bool) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not (replace and path.is_file()):
        raise _exists(path)


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _move_without_replacing(temporary: Path, path: Path) -> None:
    """Rename a file; unlike `Path.rename`, raise FileExistsError where `path` exists."""
    try:
        os.link(temporary, path)  # fails if `path` exists, in one step
    except FileExistsError:
        raise _exists(path) from None
    except OSError:  # a file system without hard links: reserve the name, then replace it
        path.open("xb").close()
        temporary.replace(path)


def _flush_folder(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            _flush(Path(parent, name))
        _flush(Path(parent))


def _flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that cannot
            raise
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
